// The server process and its connection: started, stopped and restarted one after the other. A server that cannot
// be started or keeps ending is reported once, in one line, with what the user can do.
import { type ChildProcess, spawn } from "node:child_process";
import {
  commands,
  type Disposable,
  EventEmitter,
  type ExtensionContext,
  ExtensionMode,
  type LogOutputChannel,
  window,
} from "vscode";
import { ExecuteCommandRequest } from "vscode-languageclient/node";
import { KernelscopeClient, type Progress } from "./client.js";
import { type Exit, reasonOf } from "./failure.js";
import { candidates } from "./interpreters.js";
import {
  platformTarget,
  readBundle,
  type ServerSettings,
  serverCommand,
  supportedPython,
  wrongPlatform,
} from "./launch.js";
import { LensCommands } from "./lenses.js";
import { type Command, findPython, supportedText } from "./python.js";
import { Serial } from "./serial.js";
import { isEnabled, serverSettings } from "./settings.js";
import type { Status } from "./status.js";

const START_LIMIT_MS = 60_000;
const CRASHES = { allowed: 3, withinMs: 180_000 };
const STDERR_LINES = 40;

/** A failure that is told to the user, with the buttons that may mend it. */
class Problem extends Error {
  constructor(
    message: string,
    readonly remedies: readonly Remedy[] = [SELECT_INTERPRETER],
  ) {
    super(message);
  }
}

interface Remedy {
  readonly title: string;
  readonly command: string;
}
const SELECT_INTERPRETER: Remedy = { title: "Select Interpreter", command: "kernelscope.selectInterpreter" };
const USE_INSTALLED: Remedy = { title: "Use Installed Server", command: "kernelscope.useInstalledServer" };
const SHOW_LOGS: Remedy = { title: "Show Logs", command: "kernelscope.showLogs" };

/** One running server. */
interface Session {
  readonly client: KernelscopeClient;
  readonly command: Command;
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
}

export class Server implements Disposable {
  private session: Session | undefined;
  private readonly serial = new Serial(() => this.startAnew());
  private readonly started = new EventEmitter<KernelscopeClient>();
  private readonly lenses = new LensCommands(commands);
  private crashes: number[] = [];
  private startedWith = "";

  /** A server answers again: the first time, and after each restart. */
  readonly onDidStart = this.started.event;

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
    private readonly status: Status,
  ) {}

  /** Stops what runs and starts with the settings of now; resolves when that has worked or failed. */
  restart(): Promise<void> {
    return this.serial.run();
  }

  /** Settings changed: starts anew if that makes another command. Some settings arrive late in remote windows. */
  async reconfigure(): Promise<void> {
    await this.serial.settled();
    if (this.startedWith !== identityOf(serverSettings())) {
      await this.restart();
    }
  }

  get commandLine(): Command | undefined {
    return this.session?.command;
  }

  /** Runs a command of the server. Rejects with one line for the user. */
  async execute<T>(command: string, ...args: unknown[]): Promise<T> {
    const client = await this.running();
    return client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args }) as Promise<T>;
  }

  /** The client, once a start under way has ended. */
  async running(): Promise<KernelscopeClient> {
    if (this.session === undefined) {
      await this.serial.settled();
    }
    if (this.session === undefined) {
      throw new Error("The server is not running; see the log for the reason.");
    }
    return this.session.client;
  }

  dispose(): void {
    this.started.dispose();
    this.lenses.dispose();
  }

  async stop(): Promise<void> {
    const session = this.session;
    if (session === undefined) {
      return;
    }
    this.session = undefined;
    await session.client.stop().catch((error) => this.log.warn(`Stopping: ${error}`));
    await Promise.race([session.exited, new Promise((done) => setTimeout(done, 2000))]);
    session.process.kill();
    await session.client.dispose().catch(() => undefined);
  }

  private async startAnew(): Promise<void> {
    await this.stop();
    const settings = serverSettings();
    this.startedWith = identityOf(settings);
    if (!isEnabled()) {
      this.status.show({ kind: "off", detail: "kernelscope.enable is off" });
      return;
    }
    this.status.show({ kind: "starting", detail: "" });
    try {
      this.session = await this.start(settings);
      this.status.show({ kind: "ready", detail: "" });
      this.started.fire(this.session.client);
    } catch (error) {
      this.report(error instanceof Problem ? error : new Problem(`The server did not start: ${error}`));
    }
  }

  private async start(settings: ServerSettings): Promise<Session> {
    const command = await this.chooseCommand(settings);
    this.log.info(`Starting ${command.join(" ")}`);
    const stderr: string[] = [];
    const [file, ...args] = command;
    const process = spawn(file, args, {
      cwd: settings.cwd || this.context.extensionPath,
      env: { ...globalThis.process.env, PYTHONUTF8: "1" },
      windowsHide: true,
    });
    const exited = new Promise<Exit>((resolve) => {
      process.on("error", (error) => resolve({ code: null, signal: null, stderr, error }));
      process.on("close", (code, signal) => resolve({ code, signal, stderr }));
    });
    const client = new KernelscopeClient(async () => ({ process, detached: false }), this.log, {
      lenses: this.lenses,
      progress: (value) => this.showProgress(value),
      stderr: (line) => {
        this.log.warn(line);
        stderr.push(line);
        stderr.splice(0, stderr.length - STDERR_LINES);
      },
    });
    const late = new Promise<never>((_, reject) => {
      setTimeout(
        () => reject(new Problem(`The server did not answer within ${START_LIMIT_MS / 1000} s.`)),
        START_LIMIT_MS,
      ).unref();
    });
    const ended = exited.then((exit) => {
      throw new Problem(`The server could not start: ${reasonOf(exit)}.`);
    });
    const session = { client, command, process, exited };
    try {
      await Promise.race([client.start().catch(() => ended), ended, late]);
    } catch (error) {
      process.kill();
      await client.dispose().catch(() => undefined);
      throw error;
    }
    exited.then((exit) => this.ended(session, exit));
    return session;
  }

  private async chooseCommand(settings: ServerSettings): Promise<Command> {
    const [own, ...args] = this.commandInDevelopment() ?? settings.path;
    if (own !== undefined) {
      return [own, ...args, ...settings.args];
    }
    const bundle = readBundle(this.context.extensionPath);
    const wrong = settings.importStrategy === "useBundled" ? wrongPlatform(bundle, platformTarget()) : undefined;
    if (wrong !== undefined) {
      throw new Problem(wrong, [USE_INSTALLED]);
    }
    const supported = supportedPython(bundle, settings);
    const { python, rejected } = await findPython(candidates(settings), supported);
    for (const line of rejected) {
      this.log.info(`Not used: ${line}`);
    }
    if (python === undefined) {
      const why = rejected.length > 0 ? ` Tried: ${rejected.join("; ")}.` : "";
      throw new Problem(`${supportedText(supported)} is needed to run the server and was not found.${why}`);
    }
    this.log.info(`Python ${python.version.text} (${python.origin})`);
    return serverCommand(settings, python.command, bundle);
  }

  /** When the extension is run from a checkout, the launch configuration says how to run the server. */
  private commandInDevelopment(): string[] | undefined {
    const command = process.env.KERNELSCOPE_SERVER;
    const development = this.context.extensionMode === ExtensionMode.Development;
    return development && command !== undefined ? JSON.parse(command) : undefined;
  }

  /** A running server ended by itself: started again, unless that happens too often. */
  private ended(session: Session, exit: Exit): void {
    if (this.session !== session) {
      return;
    }
    this.session = undefined;
    const now = Date.now();
    this.crashes = [...this.crashes.filter((time) => now - time < CRASHES.withinMs), now];
    this.log.error(`The server ended: ${reasonOf(exit)}`);
    if (this.crashes.length <= CRASHES.allowed) {
      this.restart();
    } else {
      this.crashes = [];
      this.report(new Problem(`The server keeps ending: ${reasonOf(exit)}.`));
    }
  }

  private report(problem: Problem): void {
    this.log.error(problem.message);
    this.status.show({ kind: "problem", detail: problem.message });
    const remedies = [...problem.remedies, SHOW_LOGS];
    window.showErrorMessage(`Kernelscope: ${problem.message}`, ...remedies.map(({ title }) => title)).then((chosen) => {
      const remedy = remedies.find(({ title }) => title === chosen);
      if (remedy !== undefined) {
        commands.executeCommand(remedy.command);
      }
    });
  }

  private showProgress(value: Progress): void {
    if (value.kind === "end") {
      this.status.show({ kind: "ready", detail: value.message ?? "" });
      return;
    }
    const share = value.percentage === undefined ? "" : `${value.percentage} % `;
    this.status.show({ kind: "busy", detail: `${share}${value.message ?? ""}`.trim() });
  }
}

function identityOf(settings: ServerSettings): string {
  return JSON.stringify([isEnabled(), settings]);
}
