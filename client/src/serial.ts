// Runs one task at a time; requests that come while one runs are served together by one further run.

export class Serial {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly task: () => Promise<void>) {}

  /** Resolves after a run that began at or after this call. */
  run(): Promise<void> {
    if (this.running === undefined) {
      this.running = this.task().finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    this.next ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.run();
      });
    return this.next;
  }

  /** Resolves when nothing runs and nothing waits, whatever came of it. */
  async settled(): Promise<void> {
    for (let last = this.next ?? this.running; last !== undefined; last = this.next ?? this.running) {
      await last.catch(() => undefined);
    }
  }
}
