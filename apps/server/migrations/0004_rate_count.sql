CREATE TABLE "rate_count" (
	"key" text PRIMARY KEY NOT NULL,
	"began" timestamp with time zone NOT NULL,
	"count" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "rate_count_began" ON "rate_count" USING btree ("began");