-- Gives up the lock of a batch.
-- KEYS 1 lock
-- ARGV 1 owner
-- Returns 1 when it was the owner's, else 0
-- Idempotent because a lock that is gone, or another's, is left alone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
