CREATE TABLE "profile_host_key" (
	"profile" text NOT NULL,
	"address" text NOT NULL,
	"lines" jsonb NOT NULL,
	"pinned_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "profile_host_key_profile_address_pk" PRIMARY KEY("profile","address")
);
--> statement-breakpoint
CREATE TABLE "profile_secret" (
	"ref" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"gone_at" timestamp (3) with time zone
);
--> statement-breakpoint
DROP INDEX "profile_default";--> statement-breakpoint
ALTER TABLE "profile_revision" ADD COLUMN "blob_key" text;--> statement-breakpoint
ALTER TABLE "profile_revision" ADD COLUMN "secret_names" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "profile" ADD COLUMN "user_id" text;--> statement-breakpoint
CREATE UNIQUE INDEX "profile_default_of" ON "profile" USING btree ("user_id") WHERE is_default and user_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "profile_default" ON "profile" USING btree ("is_default") WHERE is_default and user_id is null;