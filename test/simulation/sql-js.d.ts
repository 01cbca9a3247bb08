/** As much of sql.js as is used here; it brings no types of its own. */
declare module "sql.js" {
  export interface Statement {
    bind(values: readonly (number | string | null)[]): boolean;
    step(): boolean;
    getAsObject(): Record<string, number | string | Uint8Array | null>;
    reset(): void;
    free(): void;
  }
  export interface Database {
    run(sql: string): void;
    prepare(sql: string): Statement;
    export(): Uint8Array;
    close(): void;
  }
  export default function initSqlJs(): Promise<{ Database: new (bytes?: Uint8Array) => Database }>;
}
