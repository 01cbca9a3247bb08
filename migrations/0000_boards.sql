CREATE TABLE `bans` (
	`scope` text NOT NULL,
	`user` text NOT NULL,
	`reason` text,
	`by` text NOT NULL,
	`at` integer NOT NULL,
	`until_ms` integer,
	PRIMARY KEY(`scope`, `user`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `players` (
	`user` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`at` integer NOT NULL,
	`erased_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `rankings` (
	`id` integer PRIMARY KEY NOT NULL,
	`board` text NOT NULL,
	`period` text NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `rankings_by_name` ON `rankings` (`board`,`period`);--> statement-breakpoint
CREATE TABLE `receipts` (
	`room` text NOT NULL,
	`epoch` text NOT NULL,
	`n` integer NOT NULL,
	`refused` text NOT NULL,
	`at` integer NOT NULL,
	`closed_at` integer,
	PRIMARY KEY(`room`, `epoch`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `receipts_closed` ON `receipts` (`closed_at`) WHERE "receipts"."closed_at" is not null;--> statement-breakpoint
CREATE TABLE `scores` (
	`ranking` integer NOT NULL,
	`user` text NOT NULL,
	`name` text NOT NULL,
	`score` integer NOT NULL,
	`tie` integer NOT NULL,
	`reached_at` integer NOT NULL,
	`reached_seq` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`ranking`, `user`),
	CONSTRAINT "scores_exact" CHECK(abs("scores"."score") <= 9007199254740991),
	CONSTRAINT "scores_tie_exact" CHECK(abs("scores"."tie") <= 9007199254740991)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `scores_in_order` ON `scores` (`ranking`,`score`,`tie`,`reached_at`,`reached_seq`,`user`);--> statement-breakpoint
CREATE TABLE `set_aside` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`room` text NOT NULL,
	`epoch` text NOT NULL,
	`n` integer NOT NULL,
	`own_only` integer NOT NULL,
	`entry` text NOT NULL,
	`reason` text NOT NULL,
	`at` integer NOT NULL,
	`applied_at` integer
);
--> statement-breakpoint
CREATE TABLE `spans` (
	`ranking` integer NOT NULL,
	`score` integer NOT NULL,
	`tie` integer NOT NULL,
	`reached_at` integer NOT NULL,
	`reached_seq` integer NOT NULL,
	`user` text NOT NULL,
	`players` integer NOT NULL,
	PRIMARY KEY(`ranking`, `score`, `tie`, `reached_at`, `reached_seq`, `user`),
	CONSTRAINT "spans_counted" CHECK("spans"."players" >= 0)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `spans_too_full` ON `spans` (`ranking`) WHERE "spans"."players" > 1500;--> statement-breakpoint
CREATE INDEX `spans_too_empty` ON `spans` (`ranking`) WHERE "spans"."players" < 200;