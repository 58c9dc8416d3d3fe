-- The labels of each recording.
--
-- Columns
--   recording  Its id.
--   key        Name of the label.
--   value      Its value.
SELECT l.recording AS recording, l.key AS key, l.value AS value
FROM label AS l
ORDER BY recording, key;
