// Commands of lenses under names of their own, that stay. The editor keeps the arguments of a lens's command only until
// lenses are asked for anew, while it still shows the old ones for a moment: a click in that moment found no command.
import type { CodeLens, Command, Disposable } from "vscode";

/** The parts of the editor's `commands` that are needed. */
export interface Commands {
  registerCommand(id: string, run: () => unknown): Disposable;
  executeCommand(id: string, ...args: unknown[]): PromiseLike<unknown>;
}

/** So many are kept at most; the oldest, whose lenses are gone for long, make room. */
const KEPT = 2000;

export class LensCommands implements Disposable {
  private readonly kept = new Map<string, { readonly id: string; readonly registered: Disposable }>();
  private made = 0;

  constructor(private readonly commands: Commands) {}

  /** The lenses, each with a command that needs no arguments. */
  lasting<T extends CodeLens>(lenses: T[]): T[] {
    for (const lens of lenses) {
      if (lens.command?.arguments?.length) {
        const { arguments: _, ...shown } = lens.command;
        lens.command = { ...shown, command: this.idOf(lens.command) };
      }
    }
    return lenses;
  }

  dispose(): void {
    for (const { registered } of this.kept.values()) {
      registered.dispose();
    }
    this.kept.clear();
  }

  private idOf(command: Command): string {
    const args = command.arguments ?? [];
    const key = JSON.stringify([command.command, ...args]);
    let known = this.kept.get(key);
    if (known === undefined) {
      const id = `kernelscope.lens.${++this.made}`;
      const registered = this.commands.registerCommand(id, () =>
        this.commands.executeCommand(command.command, ...args),
      );
      known = { id, registered };
    }
    this.kept.delete(key); // what is asked for again is young again
    this.kept.set(key, known);
    this.makeRoom();
    return known.id;
  }

  private makeRoom(): void {
    for (const [key, { registered }] of this.kept) {
      if (this.kept.size <= KEPT) {
        return;
      }
      registered.dispose();
      this.kept.delete(key);
    }
  }
}
