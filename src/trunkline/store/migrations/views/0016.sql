-- What who is held hears, by the account of whoever holds (res_musiconhold.c asks by "name"). A directory is below
-- Asterisk's astdatadir, where engine/config/music.py puts both.
CREATE VIEW tl_music AS
SELECT a.id AS id,
       a.id AS name,
       'files' AS mode,
       coalesce('music/' || m.id, 'moh') AS directory,
       'random' AS sort
FROM accounts a
LEFT JOIN music m ON m.account_id = a.id AND m.used;
