CREATE TABLE `seasons` (
	`board` text NOT NULL,
	`season` text NOT NULL,
	`opens_at` integer NOT NULL,
	`closes_at` integer NOT NULL,
	PRIMARY KEY(`board`, `season`)
) WITHOUT ROWID;
