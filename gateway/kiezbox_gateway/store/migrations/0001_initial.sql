-- SPDX-License-Identifier: Apache-2.0
-- Everything taken into custody. A row here means: on disk, may be acknowledged.
CREATE TABLE message (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that a late confirmation cannot hit another row
  id TEXT NOT NULL UNIQUE,                     -- derived from content; the city deduplicates by it
  kind TEXT NOT NULL,                          -- call exercise button reading health stage mode erasure gateway
  class INTEGER NOT NULL,                      -- towards the city, OutboxClass in rows.py
  node_num INTEGER NOT NULL,                   -- 0: this gateway
  counter INTEGER NOT NULL,
  verified INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,                -- Unix time
  measured_s INTEGER,                          -- Unix time, NULL: the box had no clock
  body TEXT NOT NULL,                          -- JSON
  confirmed_ms INTEGER                         -- NULL: waits for the city
);
CREATE INDEX message_waiting ON message (class, sequence) WHERE confirmed_ms IS NULL;
CREATE INDEX message_kept ON message (received_ms) WHERE kind IN ('call', 'exercise', 'button');

-- Calls for help and exercises: what residents' codes and answers refer to.
CREATE TABLE call (
  message_sequence INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
  node_num INTEGER NOT NULL,
  counter INTEGER NOT NULL,
  code TEXT,
  action INTEGER NOT NULL,                     -- 0 new 1 amend 2 cancel 3 safe
  refers_to INTEGER,                           -- counter of the call that is amended or cancelled
  packet_id INTEGER,                           -- a text from a stock device
  stage INTEGER NOT NULL                       -- 2 gateway 3 station 4 read 5 answered
);
CREATE INDEX call_code ON call (code) WHERE code IS NOT NULL;
CREATE INDEX call_origin ON call (node_num, counter);
CREATE TABLE stage (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  message_sequence INTEGER NOT NULL REFERENCES call (message_sequence) ON DELETE CASCADE,
  stage INTEGER NOT NULL,
  station TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  text TEXT
);
CREATE INDEX stage_call ON stage (message_sequence);

-- An erased call stays erased when its box repeats it.
CREATE TABLE tombstone (id TEXT PRIMARY KEY, erased_ms INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE box (
  node_num INTEGER PRIMARY KEY,
  highest_counter INTEGER NOT NULL DEFAULT 0,
  heard_ms INTEGER,
  received INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  rssi_dbm INTEGER,
  snr_cdb INTEGER,
  hops INTEGER,
  health TEXT,
  health_ms INTEGER,
  mode INTEGER,
  mode_epoch INTEGER
);

-- Messages to boxes, with a state for each box that is to get it.
CREATE TABLE job (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,                          -- reply mode bulletin time configuration
  message TEXT NOT NULL,                       -- JSON
  node_num INTEGER,                            -- NULL: all boxes
  origin TEXT NOT NULL,                        -- board city gateway
  command_id TEXT UNIQUE,                      -- the city's, so that a repeated command is one job
  message_sequence INTEGER REFERENCES message (sequence) ON DELETE CASCADE,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
);
CREATE TABLE job_box (
  job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE,
  node_num INTEGER NOT NULL,
  state TEXT NOT NULL,                         -- queued on_air confirmed expired
  times_sent INTEGER NOT NULL DEFAULT 0,
  changed_ms INTEGER NOT NULL,
  PRIMARY KEY (job, node_num)
) WITHOUT ROWID;

-- Counters of the protocol that must never go back.
CREATE TABLE saved (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- What was dropped or thinned, by reason, over restarts.
CREATE TABLE tally (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
-- Who did what, without personal data.
CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
