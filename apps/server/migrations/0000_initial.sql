CREATE TABLE "api_key" (
	"id" text PRIMARY KEY NOT NULL,
	"person_id" text NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"key_hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "api_key_hash_unique" UNIQUE("key_hash")
);
--> statement-breakpoint
CREATE TABLE "device" (
	"id" text PRIMARY KEY NOT NULL,
	"person_id" text NOT NULL,
	"client_id" text NOT NULL,
	"client" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "device_request" (
	"device_code_hash" text PRIMARY KEY NOT NULL,
	"user_code_hash" text NOT NULL,
	"client_id" text NOT NULL,
	"client" text NOT NULL,
	"place" text NOT NULL,
	"user_agent" text NOT NULL,
	"status" text NOT NULL,
	"decided_by" text,
	"interval_seconds" integer NOT NULL,
	"last_polled_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "device_request_user_code_unique" UNIQUE("user_code_hash")
);
--> statement-breakpoint
CREATE TABLE "invite" (
	"id" text PRIMARY KEY NOT NULL,
	"token_hash" text NOT NULL,
	"role" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "invite_token_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
CREATE TABLE "person" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text,
	"role" text NOT NULL,
	"plan_id" text NOT NULL,
	"disabled" boolean DEFAULT false NOT NULL,
	"password_hash" text,
	"created_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone,
	CONSTRAINT "person_email_unique" UNIQUE("email"),
	CONSTRAINT "person_role" CHECK ("person"."role" in ('admin', 'member'))
);
--> statement-breakpoint
CREATE TABLE "plan" (
	"id" text PRIMARY KEY NOT NULL,
	"title" text NOT NULL,
	"jobs_at_once" integer NOT NULL,
	"jobs_waiting" integer NOT NULL,
	"minutes_per_month" bigint,
	"max_timeout_seconds" integer NOT NULL,
	"max_artifact_bytes" bigint NOT NULL,
	"max_log_bytes" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "refresh_token" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"device_id" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "session" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"person_id" text NOT NULL,
	"by_link" boolean NOT NULL,
	"place" text NOT NULL,
	"user_agent" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sign_in_link" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"person_id" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signing_key" (
	"generation" integer PRIMARY KEY NOT NULL,
	"kid" text NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"sealed_private_jwk" text NOT NULL,
	"not_before" timestamp with time zone NOT NULL,
	"retire_at" timestamp with time zone NOT NULL,
	CONSTRAINT "signing_key_kid_unique" UNIQUE("kid")
);
--> statement-breakpoint
CREATE TABLE "activity_message" (
	"n" bigserial PRIMARY KEY NOT NULL,
	"activity_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"type" text NOT NULL,
	"message" jsonb NOT NULL,
	"actor_id" text,
	"actor_name" text NOT NULL,
	"correlation_id" text
);
--> statement-breakpoint
CREATE TABLE "credential" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"host" text,
	"username" text,
	"value" text NOT NULL,
	"known_hosts" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	CONSTRAINT "credential_name_unique" UNIQUE("user_id","name")
);
--> statement-breakpoint
CREATE TABLE "artifact" (
	"job_id" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"content_type" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"partial" boolean NOT NULL,
	"blob_key" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "artifact_job_id_name_pk" PRIMARY KEY("job_id","name")
);
--> statement-breakpoint
CREATE TABLE "job_event" (
	"job_id" text NOT NULL,
	"n" integer NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"state" text NOT NULL,
	"reason" text NOT NULL,
	"attempt" integer NOT NULL,
	CONSTRAINT "job_event_job_id_n_pk" PRIMARY KEY("job_id","n")
);
--> statement-breakpoint
CREATE TABLE "job" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"user_name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"title" text NOT NULL,
	"spec" text NOT NULL,
	"agent" text NOT NULL,
	"profile" text NOT NULL,
	"driver" text NOT NULL,
	"repo_name" text NOT NULL,
	"repo_url" text,
	"repo_ref" text,
	"repo_commit" text,
	"bundle_id" text,
	"patch_id" text,
	"credential" text,
	"env_sealed" text,
	"env_names" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"image" text,
	"resources" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"timeout_seconds" integer NOT NULL,
	"idempotency_key" text,
	"request_hash" text NOT NULL,
	"retry_of" text,
	"cancel_requested_at" timestamp (3) with time zone,
	"admitted_at" timestamp (3) with time zone,
	"attempt" integer DEFAULT 1 NOT NULL,
	"launch_tries" integer DEFAULT 0 NOT NULL,
	"launched_at" timestamp (3) with time zone,
	"launch_fault" jsonb,
	"unit" jsonb,
	"worker_id" text,
	"claimed_at" timestamp (3) with time zone,
	"heard_at" timestamp (3) with time zone,
	"reported_phase" text,
	"reported_reason" text,
	"finished" jsonb,
	"killed_at" timestamp (3) with time zone,
	"killed_for" text,
	"cleaned_at" timestamp (3) with time zone,
	"state" text DEFAULT 'queued' NOT NULL,
	"state_since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"reason" text NOT NULL,
	"phases" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"exit_code" integer,
	"failure" jsonb,
	"diff" jsonb,
	"activity_id" text,
	"wake_at" timestamp (3) with time zone DEFAULT now(),
	"lease_until" timestamp (3) with time zone,
	"claim" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "upload" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"blob_key" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "profile" (
	"name" text PRIMARY KEY NOT NULL,
	"driver" text NOT NULL,
	"settings" jsonb NOT NULL,
	"limits" jsonb NOT NULL,
	"is_default" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "setting" (
	"key" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log" (
	"id" text PRIMARY KEY NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"last_line" integer DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"last_line_at" timestamp (3) with time zone,
	"truncated" boolean DEFAULT false NOT NULL,
	"sources" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"end_state" text,
	"compacted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "log_chunk" (
	"log_id" text NOT NULL,
	"first" integer NOT NULL,
	"last" integer NOT NULL,
	"first_at" timestamp (3) with time zone NOT NULL,
	"last_at" timestamp (3) with time zone NOT NULL,
	"data" text,
	"blob_key" text,
	"blob_start" bigint,
	"blob_bytes" integer,
	CONSTRAINT "log_chunk_log_id_last_pk" PRIMARY KEY("log_id","last")
);
--> statement-breakpoint
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_person_id_person_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "device" ADD CONSTRAINT "device_person_id_person_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "device_request" ADD CONSTRAINT "device_request_decided_by_person_id_fk" FOREIGN KEY ("decided_by") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invite" ADD CONSTRAINT "invite_created_by_person_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "person" ADD CONSTRAINT "person_plan_id_plan_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plan"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "refresh_token" ADD CONSTRAINT "refresh_token_device_id_device_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."device"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "session" ADD CONSTRAINT "session_person_id_person_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sign_in_link" ADD CONSTRAINT "sign_in_link_person_id_person_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "artifact" ADD CONSTRAINT "artifact_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_event" ADD CONSTRAINT "job_event_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_key_person" ON "api_key" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "device_person" ON "device" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "device_expires" ON "device" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "device_request_expires" ON "device_request" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "refresh_token_device" ON "refresh_token" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "session_person" ON "session" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "session_expires" ON "session" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sign_in_link_person" ON "sign_in_link" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "activity_messages_of" ON "activity_message" USING btree ("activity_id","n");--> statement-breakpoint
CREATE INDEX "activity_started" ON "activity_message" USING btree ("actor_id","n" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "activity_correlation" ON "activity_message" USING btree ("correlation_id");--> statement-breakpoint
CREATE UNIQUE INDEX "job_idempotency" ON "job" USING btree ("user_id","idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "job_of_user" ON "job" USING btree ("user_id","created_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "job_newest" ON "job" USING btree ("created_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "job_queued" ON "job" USING btree ("user_id","created_at","id") WHERE admitted_at is null and finished_at is null;--> statement-breakpoint
CREATE INDEX "job_active" ON "job" USING btree ("user_id") WHERE admitted_at is not null and finished_at is null;--> statement-breakpoint
CREATE INDEX "job_wake" ON "job" USING btree ("wake_at") WHERE wake_at is not null;--> statement-breakpoint
CREATE INDEX "job_lease" ON "job" USING btree ("lease_until") WHERE lease_until is not null;--> statement-breakpoint
CREATE INDEX "job_estimate" ON "job" USING btree ("repo_name","agent","finished_at" DESC NULLS LAST) WHERE state = 'succeeded';--> statement-breakpoint
CREATE INDEX "job_minutes" ON "job" USING btree ("user_id","finished_at") WHERE started_at is not null;--> statement-breakpoint
CREATE INDEX "job_uncleaned" ON "job" USING btree ("id") WHERE finished_at is not null and cleaned_at is null;--> statement-breakpoint
CREATE INDEX "upload_expired" ON "upload" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "profile_default" ON "profile" USING btree ("is_default") WHERE is_default;--> statement-breakpoint
CREATE INDEX "log_to_compact" ON "log" USING btree ("ended_at") WHERE "log"."ended_at" is not null and "log"."compacted_at" is null;