BEGIN TRANSACTION;
CREATE TABLE entry (layer TEXT NOT NULL, device TEXT NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (layer, device, min, max)) STRICT, WITHOUT ROWID;
INSERT INTO entry VALUES('A','cpu',0,9223372036854775807,'{"device": "cpu", "modes": {}}');
CREATE TABLE pin (repo TEXT NOT NULL, revision TEXT NOT NULL, commit_id TEXT NOT NULL, PRIMARY KEY (repo, revision)) STRICT, WITHOUT ROWID;
INSERT INTO pin VALUES('o/n','main','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE loss (what TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
