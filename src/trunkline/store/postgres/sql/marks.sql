-- name: add(mark, now)!
-- A connection begins to write.
INSERT INTO commit_marks (id, last, open, at) VALUES (:mark, 0, true, :now);

-- name: shut(mark)$
-- Nothing is committed under this mark any more; its last number.
UPDATE commit_marks SET open = false WHERE id = :mark RETURNING last;

-- name: remove(mark)!
-- A connection has ended well.
DELETE FROM commit_marks WHERE id = :mark;

-- name: prune(before)!
-- Forget connections that have long ended; one that lives is opened anew when it next writes.
DELETE FROM commit_marks WHERE at < :before;
