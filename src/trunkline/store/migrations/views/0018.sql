-- For the dialplan: how many calls may be to the outside at once (calls), and how many new ones a minute (rate), of a
-- device, an account or a trunk. A device's row has its account's, too. No device's name is an id.
CREATE VIEW tl_limits AS
SELECT d.sip_user AS id,
       coalesce(CAST(d.max_calls AS TEXT), 'none') AS calls,
       coalesce(CAST(d.max_rate AS TEXT), 'none') AS rate,
       coalesce(CAST(a.max_calls AS TEXT), 'none') AS account_calls,
       coalesce(CAST(a.max_rate AS TEXT), 'none') AS account_rate
FROM devices d
JOIN accounts a ON a.id = d.account_id
UNION ALL
SELECT a.id,
       'none',
       'none',
       coalesce(CAST(a.max_calls AS TEXT), 'none'),
       coalesce(CAST(a.max_rate AS TEXT), 'none')
FROM accounts a
UNION ALL
SELECT t.id,
       coalesce(CAST(t.max_calls AS TEXT), 'none'),
       coalesce(CAST(t.max_rate AS TEXT), 'none'),
       'none',
       'none'
FROM trunks t;

-- For the dialplan: what an account dials in an emergency, with & around each, and all of its trunks.
CREATE VIEW tl_emergency AS
SELECT a.id AS id,
       '&' || replace(a.emergency_numbers, ',', '&') || '&' AS numbers,
       coalesce(({trunks}), '') AS trunks
FROM accounts a
WHERE a.enabled;
