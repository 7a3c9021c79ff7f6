-- Moves an open batch on to another status in which it is open. With "in_progress" its output can be read.
-- KEYS 1 batch  2 lease  3 live
-- ARGV 1 token  2 status that it must have  3 status that it gets  4 id  then field, value ...
-- Returns 1 moved | 0 the lease is not held | -1 it has another status
-- Idempotent because a batch that was moved so before is left alone.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local batch = redis.call('HMGET', KEYS[1], 'status', 'output_id', 'error_id')
if batch[1] == ARGV[3] then return 1 end
if batch[1] ~= ARGV[2] then return -1 end
redis.call('HSET', KEYS[1], 'status', ARGV[3], ARGV[3] .. '_at', redis.call('TIME')[1], unpack(ARGV, 5))
if ARGV[3] == 'in_progress' then redis.call('HSET', KEYS[3], batch[2], ARGV[4], batch[3], ARGV[4]) end
return 1
