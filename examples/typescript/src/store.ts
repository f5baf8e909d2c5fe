// The database: what was read, what was decided, and how far.

// libsql has the interface of better-sqlite3, and comes built from the registry.
import Database from "libsql";
import type { Verdict } from "./verdict.js";

const schema = `
CREATE TABLE IF NOT EXISTS inbox(
  event_id TEXT PRIMARY KEY, topic TEXT, partition INTEGER, offset INTEGER);
CREATE TABLE IF NOT EXISTS offsets(
  topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY(topic, partition));
CREATE TABLE IF NOT EXISTS decisions(
  event_id TEXT PRIMARY KEY, endpoint TEXT, subject TEXT, customer_reference TEXT, decision TEXT,
  finality TEXT, acted TEXT, occurred_at TEXT, received_at TEXT);
CREATE TABLE IF NOT EXISTS rejected(
  topic TEXT, partition INTEGER, offset INTEGER, why TEXT, PRIMARY KEY(topic, partition, offset));
`;

/** Where a record is. Offsets have 64 bits, so they are bigint and never number. */
export interface Place {
  topic: string;
  partition: number;
  offset: bigint;
}

export class Store {
  readonly #db: Database.Database;

  constructor(path: string) {
    this.#db = new Database(path, { timeout: 30_000 });
    this.#db.pragma("journal_mode = WAL");
    // A power cut may undo the last transactions, each as a whole: their records are read again.
    this.#db.pragma("synchronous = NORMAL");
    this.#db.exec(schema);
  }

  /** The offset to go on from; undefined for a partition that was never read. */
  nextOffset(topic: string, partition: number): bigint | undefined {
    const query = this.#db.prepare("SELECT next FROM offsets WHERE topic = ? AND partition = ?").safeIntegers();
    return (query.get(topic, partition) as { next: bigint } | undefined)?.next;
  }

  /** All that a record causes, and that it was read: both or neither. */
  transaction<T>({ topic, partition, offset }: Place, work: () => T): T {
    return this.#db.transaction(() => {
      const result = work();
      // Never back, should a member that lost the partition come late with its last record.
      this.#db
        .prepare("INSERT INTO offsets VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET next = max(next, excluded.next)")
        .run(topic, partition, offset + 1n);
      return result;
    }).immediate();
  }

  /**
   * Takes the event into the inbox. One that is there already is no error: it
   * would stop its partition for ever.
   */
  isNew(eventId: string, { topic, partition, offset }: Place): boolean {
    const query = this.#db.prepare("INSERT INTO inbox VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING");
    return query.run(eventId, topic, partition, offset).changes === 1;
  }

  decide(v: Verdict): void {
    this.#db
      .prepare("INSERT INTO decisions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run(v.eventId, v.endpoint, v.subject, v.customerReference, v.decision, v.finality, v.acted, v.occurredAt, v.receivedAt);
  }

  reject({ topic, partition, offset }: Place, why: string): void {
    this.#db.prepare("INSERT INTO rejected VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING").run(topic, partition, offset, why);
  }

  close(): void {
    this.#db.close();
  }
}
