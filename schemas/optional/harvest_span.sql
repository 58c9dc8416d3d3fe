-- Harvests whose entries stand for more than a page each: the host keeps that memory in large pages, and says only that something in one
-- was written. Only recordings made with --soft-dirty can have this table; in sessions of dirtyrec every other one has it, empty. A harvest
-- without a row has entries of one page each.
--
-- Columns
--   harvest  Number of the harvest.
--   pages    Pages for which each of its entries stands: those of the naturally aligned group that holds the entry's page, a power of two.
--            A vCPU wrote at least that page; of the entries of source vmm not even that is known.
CREATE TABLE harvest_span(
    harvest INTEGER PRIMARY KEY REFERENCES harvest(id),
    pages INTEGER NOT NULL
) STRICT;
