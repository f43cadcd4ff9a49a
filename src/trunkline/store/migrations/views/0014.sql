-- For the dialplan: what an account wants of each of its calls.
CREATE VIEW tl_accounts AS
SELECT a.id AS id,
       a.recording_format AS recording_format
FROM accounts a;
