-- SPDX-License-Identifier: Apache-2.0
-- What an operator must see even after a restart: a full disk, a damaged page, a backup that was used.
CREATE TABLE incident (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  name TEXT NOT NULL,
  detail TEXT NOT NULL
);
-- Why a box refused a command.
ALTER TABLE job_box ADD COLUMN detail TEXT;
-- Retention looks for the oldest of a kind.
CREATE INDEX message_age ON message (kind, received_ms) WHERE kind <> 'reading';
