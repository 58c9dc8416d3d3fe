-- What was in dirty pages when they were harvested. Only recordings made with --content have this table; in sessions of
-- dirtyrec every other one has it, empty. A page of the sample has a row for each iteration in which it was dirty, and one
-- more for each change of slots before which it was dirty in the same iteration. Nothing tells what a page held.
--
-- Columns
--   iteration      Iteration in which it was dirty.
--   gfn            Guest frame number.
--   zero           1 when it held nothing but zeros, else 0.
--   changed_words  8-byte words that differ from what it held when it was looked at before, at first (of `record`) when the recording began; 0 when
--                  nothing had changed (a silent write). NULL when what it held before is not known.
--   xbzrle_bytes   Bytes of those changes in QEMU's XBZRLE encoding, without headers; the page's size when that does not fit.
--                  NULL as before.
--   zstd_bytes     Bytes of the page compressed alone by Zstandard at level 1; at most the page's size.
--   hash           Equal for equal pages of this recording: SipHash with a random key that was not kept, as a signed integer.
CREATE TABLE page_content(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    gfn INTEGER NOT NULL,
    zero INTEGER NOT NULL,
    changed_words INTEGER,
    xbzrle_bytes INTEGER,
    zstd_bytes INTEGER NOT NULL,
    hash INTEGER NOT NULL
) STRICT;
