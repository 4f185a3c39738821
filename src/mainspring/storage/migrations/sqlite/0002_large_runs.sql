-- For runs of many tasks. A map's elements are left out of the first index, and the others hold
-- only what is ready, so that they cost a task next to nothing.

-- The tasks that a run's page lists: all but the elements of maps. In order, as each entry ends
-- with the rowid.
CREATE INDEX tasks_top ON tasks (run) WHERE idx IS NULL;

-- What may start now, in order, without the tasks that wait for their retry: there may be many, and
-- each turn would pass over all of them.
CREATE INDEX tasks_now ON tasks (run, status) WHERE status = 'ready' AND not_before IS NULL;
CREATE INDEX tasks_delayed ON tasks (run, not_before)
    WHERE status = 'ready' AND not_before IS NOT NULL;

-- A map is expanded further when few of its elements may start now, those that wait not counted.
DROP INDEX tasks_ready_child;
CREATE INDEX tasks_now_child ON tasks (parent)
    WHERE status = 'ready' AND not_before IS NULL AND parent IS NOT NULL;
