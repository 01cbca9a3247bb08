CREATE TABLE `corrections` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`by` text NOT NULL,
	`board` text NOT NULL,
	`period` text NOT NULL,
	`user` text NOT NULL,
	`before` integer,
	`after` integer,
	`reason` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `corrections_of` ON `corrections` (`user`);--> statement-breakpoint
CREATE INDEX `players_erased` ON `players` (`erased_at`) WHERE "players"."erased_at" is not null;