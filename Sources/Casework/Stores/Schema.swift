import GRDB

/// The tables of the record. A migration, once released, is never changed; what is new is a further one.
///
///     run          a scan: who, when, where, with which lists
///     content      a fingerprint, kept whole so that it can be matched again without the evidence
///     location     a place: exhibit, path or URL, member
///     case_file    what people work on; counters kept by the transaction that adds findings
///     finding      a content at a location, in a case; unique by the two
///     match        a list entry that a finding met, unique by list, version, entry and algorithm
///     ledger_entry every entry of the ledger, in order; never changed, never removed
///     ledger_checkpoint  the signed heads of the ledger, by size
///     report       a URL that was reported, by its canonical form
///     takedown     a notice or an order, with its clocks
///     dns_block    a name that an order blocks, until when, and who approved it
///     case_link    two cases with a location in common
///     kept_item    a content at a location that a recorded exhibit has, whether it matched or not
///     person       who has acted, and by which account of the machine
enum Schema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 cases and findings") { database in
      try database.execute(sql: tables)
    }
    migrator.registerMigration("2 ledger") { database in
      try database.execute(sql: ledger)
    }
    migrator.registerMigration("3 reports") { database in
      try database.execute(sql: reports)
    }
    migrator.registerMigration("4 decisions") { database in
      try database.execute(sql: decisions)
    }
    migrator.registerMigration("5 takedowns") { database in
      try database.execute(sql: takedowns)
    }
    migrator.registerMigration("report queue") { database in
      try database.execute(sql: reportQueue)
    }
    migrator.registerMigration("6 kept items and people") { database in
      try database.execute(sql: keptItemsAndPeople)
    }
    migrator.registerMigration("origin of members") { database in
      try database.execute(sql: origins)
    }
    return migrator
  }

  private static let tables = """
    CREATE TABLE run (
      id TEXT PRIMARY KEY NOT NULL,
      started_at INTEGER NOT NULL,       -- times are milliseconds since 1970, UTC
      finished_at INTEGER,
      state TEXT NOT NULL,
      tool TEXT NOT NULL,
      examiner TEXT NOT NULL,
      exhibit TEXT,
      roots TEXT NOT NULL,               -- JSON array
      lists TEXT NOT NULL,               -- JSON array of [name, version]
      summary TEXT
    ) STRICT;

    CREATE TABLE content (
      id INTEGER PRIMARY KEY,
      key BLOB NOT NULL UNIQUE,          -- algorithm number, then the strongest digest
      size INTEGER NOT NULL,
      md5 BLOB, sha1 BLOB, sha256 BLOB,
      pdq BLOB, pdq_quality INTEGER,
      media_type TEXT
    ) STRICT;

    CREATE TABLE location (
      id INTEGER PRIMARY KEY,
      kind TEXT NOT NULL CHECK (kind IN ('file', 'url')),
      exhibit TEXT NOT NULL,             -- '' for none: NULLs would not be equal to each other
      place BLOB NOT NULL,               -- a path's bytes, which need not be UTF-8
      member TEXT NOT NULL,              -- '' for none
      UNIQUE (place, exhibit, member, kind)
    ) STRICT;

    CREATE TABLE case_file (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      state TEXT NOT NULL,
      verdict TEXT NOT NULL,
      opened_at INTEGER NOT NULL,
      last_seen_at INTEGER NOT NULL,
      findings INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX case_by_last_seen ON case_file (last_seen_at);

    CREATE TABLE finding (
      id INTEGER PRIMARY KEY,
      case_id INTEGER NOT NULL REFERENCES case_file (id),
      location_id INTEGER NOT NULL REFERENCES location (id),
      content_id INTEGER NOT NULL REFERENCES content (id),
      verdict TEXT NOT NULL,
      first_run TEXT NOT NULL REFERENCES run (id),
      last_run TEXT NOT NULL REFERENCES run (id),
      first_seen_at INTEGER NOT NULL,
      last_seen_at INTEGER NOT NULL,
      lists TEXT NOT NULL,               -- JSON array of [name, version] that were asked last
      UNIQUE (content_id, location_id)
    ) STRICT;
    CREATE INDEX finding_by_case ON finding (case_id);
    CREATE INDEX finding_by_location ON finding (location_id);

    CREATE TABLE match (
      finding_id INTEGER NOT NULL REFERENCES finding (id),
      list TEXT NOT NULL,
      version TEXT NOT NULL,
      entry TEXT NOT NULL,
      algorithm TEXT NOT NULL,
      grade TEXT NOT NULL,
      distance INTEGER NOT NULL,
      category_scheme TEXT, category TEXT,
      contributor TEXT,
      PRIMARY KEY (finding_id, list, version, entry, algorithm)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE case_link (
      one INTEGER NOT NULL REFERENCES case_file (id),
      other INTEGER NOT NULL REFERENCES case_file (id),
      PRIMARY KEY (one, other),
      CHECK (one < other)
    ) STRICT, WITHOUT ROWID;
    """

  private static let ledger = """
    CREATE TABLE ledger_entry (
      idx INTEGER PRIMARY KEY CHECK (idx >= 0),  -- without gaps
      subject TEXT,                      -- as in the entry
      data BLOB NOT NULL                 -- JSON; its bytes are what is hashed
    ) STRICT;
    CREATE INDEX ledger_entry_by_subject ON ledger_entry (subject, idx) WHERE subject IS NOT NULL;
    CREATE TRIGGER ledger_entry_never_changes BEFORE UPDATE ON ledger_entry
      BEGIN SELECT RAISE(ABORT, 'an entry of the ledger is never changed'); END;
    CREATE TRIGGER ledger_entry_never_goes BEFORE DELETE ON ledger_entry
      BEGIN SELECT RAISE(ABORT, 'an entry of the ledger is never removed'); END;

    CREATE TABLE ledger_checkpoint (
      size INTEGER PRIMARY KEY,
      note TEXT NOT NULL
    ) STRICT;

    ALTER TABLE finding ADD COLUMN entry INTEGER;  -- of the ledger, which recorded it
    """

  private static let reports = """
    CREATE TABLE report (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      url TEXT NOT NULL UNIQUE,          -- canonical
      host TEXT NOT NULL,
      first_received_at INTEGER NOT NULL,
      last_received_at INTEGER NOT NULL,
      count INTEGER NOT NULL,
      source TEXT,
      reference TEXT
    ) STRICT;
    """

  private static let reportQueue = """
    ALTER TABLE report ADD COLUMN visited_at INTEGER;  -- since it was last received; else it waits for a scan
    CREATE INDEX report_by_queue ON report (id) WHERE visited_at IS NULL;
    """

  private static let decisions = """
    ALTER TABLE case_file ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE case_file ADD COLUMN assignee TEXT;
    ALTER TABLE case_file ADD COLUMN decision TEXT;      -- that stands or is proposed
    ALTER TABLE case_file ADD COLUMN proposed_by TEXT;
    ALTER TABLE case_file ADD COLUMN decided_by TEXT;
    ALTER TABLE case_file ADD COLUMN decided_at INTEGER;
    ALTER TABLE case_file ADD COLUMN overturned INTEGER NOT NULL DEFAULT 0;  -- how often
    CREATE INDEX case_by_state ON case_file (state, id);
    CREATE INDEX case_by_assignee ON case_file (assignee, id) WHERE assignee IS NOT NULL;
    CREATE INDEX location_by_exhibit ON location (exhibit) WHERE exhibit <> '';
    CREATE INDEX match_by_entry ON match (list, entry);
    """

  private static let keptItemsAndPeople = """
    ALTER TABLE run ADD COLUMN number INTEGER;  -- a short name for its many items
    UPDATE run SET number = rowid;
    CREATE UNIQUE INDEX run_by_number ON run (number);
    ALTER TABLE content ADD COLUMN queries BLOB;  -- see PerceptualQueries

    CREATE TABLE kept_item (
      content_id INTEGER NOT NULL REFERENCES content (id),
      location_id INTEGER NOT NULL REFERENCES location (id),
      run INTEGER NOT NULL,              -- number of the last that looked at it
      PRIMARY KEY (content_id, location_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE person (
      name TEXT NOT NULL,
      account TEXT NOT NULL,
      first_seen_at INTEGER NOT NULL,
      PRIMARY KEY (name, account)
    ) STRICT, WITHOUT ROWID;
    """

  private static let origins = """
    ALTER TABLE location ADD COLUMN origin TEXT;  -- JSON: where on its medium a file of a disk image lies
    """

  private static let takedowns = """
    CREATE TABLE takedown (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      case_id INTEGER NOT NULL REFERENCES case_file (id),
      url TEXT NOT NULL,                 -- as it was found
      host TEXT NOT NULL,
      sha256 BLOB,
      match TEXT NOT NULL,               -- in words
      profile TEXT NOT NULL,
      authority TEXT NOT NULL,           -- this and what follows as the profile had it
      legal_ground TEXT NOT NULL,
      hours INTEGER NOT NULL,
      is_emergency INTEGER NOT NULL,
      ordered_by TEXT NOT NULL,
      recipient TEXT NOT NULL,           -- JSON, as the contact table had it
      country TEXT,
      rung INTEGER NOT NULL,
      state TEXT NOT NULL,
      received_at INTEGER NOT NULL,
      ordered_at INTEGER NOT NULL,
      verified_at INTEGER NOT NULL,
      notified_at INTEGER, acknowledged_at INTEGER, deadline_at INTEGER,
      removed_at INTEGER, closed_at INTEGER,
      expires_at INTEGER,                -- of the order
      next_check_at INTEGER, last_check_at INTEGER,
      gone_at INTEGER,                   -- first answer 'gone' of those in a row
      gone_count INTEGER NOT NULL DEFAULT 0,
      checks INTEGER NOT NULL DEFAULT 0, -- since the state last changed by one
      reminders INTEGER NOT NULL DEFAULT 0,
      returns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX takedown_by_case ON takedown (case_id);
    CREATE INDEX takedown_by_url ON takedown (url);
    CREATE INDEX takedown_by_check ON takedown (next_check_at) WHERE next_check_at IS NOT NULL;
    CREATE INDEX takedown_by_deadline ON takedown (deadline_at) WHERE state NOT IN ('closed', 'withdrawn');

    ALTER TABLE report ADD COLUMN case_id INTEGER REFERENCES case_file (id);  -- that somebody has linked it with
    CREATE INDEX report_by_case ON report (case_id) WHERE case_id IS NOT NULL;

    CREATE TABLE dns_block (
      id INTEGER PRIMARY KEY,
      takedown_id INTEGER NOT NULL REFERENCES takedown (id),
      host TEXT NOT NULL,
      ordered_by TEXT NOT NULL,
      ordered_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      needs_approval INTEGER NOT NULL,   -- a name that many share
      approved_by TEXT,
      UNIQUE (takedown_id, host)
    ) STRICT;
    """
}
