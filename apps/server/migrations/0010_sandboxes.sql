CREATE TABLE "execution_order" (
	"execution_id" text PRIMARY KEY NOT NULL,
	"order_sealed" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "execution" (
	"id" text PRIMARY KEY NOT NULL,
	"sandbox_id" text NOT NULL,
	"user_id" text NOT NULL,
	"title" text NOT NULL,
	"terminal" boolean DEFAULT false NOT NULL,
	"stdin" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"idempotency_key" text,
	"request_hash" text NOT NULL,
	"cancel_requested_at" timestamp (3) with time zone,
	"cancel_grace_ms" integer,
	"started_at" timestamp (3) with time zone,
	"away_since" timestamp (3) with time zone,
	"away_why" text,
	"ending" jsonb,
	"stdout_bytes" bigint DEFAULT 0 NOT NULL,
	"stderr_bytes" bigint DEFAULT 0 NOT NULL,
	"truncated" boolean DEFAULT false NOT NULL,
	"told_at" timestamp (3) with time zone,
	"cleaned_at" timestamp (3) with time zone,
	"state" text DEFAULT 'queued' NOT NULL,
	"state_since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"reason" text NOT NULL,
	"failure" jsonb,
	"finished_at" timestamp (3) with time zone,
	"log_removed_at" timestamp (3) with time zone,
	"version" integer DEFAULT 0 NOT NULL,
	"wake_at" timestamp (3) with time zone DEFAULT now(),
	"lease_until" timestamp (3) with time zone,
	"claim" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sandbox_order" (
	"sandbox_id" text PRIMARY KEY NOT NULL,
	"env_sealed" text
);
--> statement-breakpoint
CREATE TABLE "sandbox" (
	"id" text PRIMARY KEY NOT NULL,
	"user_name" text NOT NULL,
	"name" text,
	"driver" text NOT NULL,
	"image" text,
	"resources" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"env_names" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"idle_seconds" integer NOT NULL,
	"lifetime_seconds" integer NOT NULL,
	"idempotency_key" text,
	"request_hash" text NOT NULL,
	"pause_wanted" boolean DEFAULT false NOT NULL,
	"left_at" timestamp (3) with time zone,
	"attempt" integer DEFAULT 1 NOT NULL,
	"launch_tries" integer DEFAULT 0 NOT NULL,
	"launched_at" timestamp (3) with time zone,
	"launch_fault" jsonb,
	"launch_reason" text,
	"machine" jsonb,
	"ready_at" timestamp (3) with time zone,
	"last_activity_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"closed_for" text,
	"state" text DEFAULT 'queued' NOT NULL,
	"state_since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"reason" text NOT NULL,
	"failure" jsonb,
	"activity_id" text NOT NULL,
	"user_id" text NOT NULL,
	"profile" text NOT NULL,
	"profile_revision" integer,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"cancel_requested_at" timestamp (3) with time zone,
	"admitted_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"cleaned_at" timestamp (3) with time zone,
	"version" integer DEFAULT 0 NOT NULL,
	"wake_at" timestamp (3) with time zone DEFAULT now(),
	"lease_until" timestamp (3) with time zone,
	"claim" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
ALTER TABLE "plan" ADD COLUMN "sandboxes_at_once" integer DEFAULT 10 NOT NULL;--> statement-breakpoint
ALTER TABLE "execution_order" ADD CONSTRAINT "execution_order_execution_id_execution_id_fk" FOREIGN KEY ("execution_id") REFERENCES "public"."execution"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "execution" ADD CONSTRAINT "execution_sandbox_id_sandbox_id_fk" FOREIGN KEY ("sandbox_id") REFERENCES "public"."sandbox"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sandbox_order" ADD CONSTRAINT "sandbox_order_sandbox_id_sandbox_id_fk" FOREIGN KEY ("sandbox_id") REFERENCES "public"."sandbox"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "execution_idempotency" ON "execution" USING btree ("user_id","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "execution_of_sandbox" ON "execution" USING btree ("sandbox_id","created_at","id");--> statement-breakpoint
CREATE INDEX "execution_running" ON "execution" USING btree ("sandbox_id") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "execution_kept" ON "execution" USING btree ("user_id","finished_at") WHERE finished_at is not null and log_removed_at is null;--> statement-breakpoint
CREATE INDEX "execution_wake" ON "execution" USING btree ("wake_at") WHERE wake_at is not null;--> statement-breakpoint
CREATE INDEX "execution_lease" ON "execution" USING btree ("lease_until") WHERE lease_until is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "sandbox_idempotency" ON "sandbox" USING btree ("user_id","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "sandbox_newest" ON "sandbox" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "sandbox_of_user" ON "sandbox" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "sandbox_wake" ON "sandbox" USING btree ("wake_at") WHERE wake_at is not null;--> statement-breakpoint
CREATE INDEX "sandbox_lease" ON "sandbox" USING btree ("lease_until") WHERE lease_until is not null;--> statement-breakpoint
CREATE TRIGGER "sandbox_version" BEFORE UPDATE ON "sandbox" FOR EACH ROW EXECUTE FUNCTION count_version();--> statement-breakpoint
CREATE TRIGGER "execution_version" BEFORE UPDATE ON "execution" FOR EACH ROW EXECUTE FUNCTION count_version();--> statement-breakpoint
SELECT "take_places"('sandbox');
