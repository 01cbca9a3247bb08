CREATE TABLE `correction_requests` (
	`by` text NOT NULL,
	`id` text NOT NULL,
	`print` text NOT NULL,
	`at` integer NOT NULL,
	`after` integer NOT NULL,
	`up_to` integer NOT NULL,
	PRIMARY KEY(`by`, `id`)
) WITHOUT ROWID;
