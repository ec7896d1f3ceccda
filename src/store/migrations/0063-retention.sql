-- What finds the tasks that are old enough to go, and what goes with them.
CREATE INDEX tasks_finished_at ON pullwright.tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX notes_task ON pullwright.notes (task_id);
