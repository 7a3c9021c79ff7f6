-- Stores the end of a job: a completion replaces anything but a completion, an error only nothing.
-- KEYS 1 result
-- ARGV 1 status  2 response  3 meta  4 TTL, s  5 channel to wake waiters on  6 publish verb
-- Returns {the status that stands now, 1 when that is a completion and this is another one}
-- Idempotent because the same result again changes nothing but begins the TTL anew.
redis.call('HDEL', KEYS[1], '')
local stands, another = redis.call('HGET', KEYS[1], 'status'), 0
if not stands or (ARGV[1] == 'completed' and stands ~= 'completed') then
  redis.call('HSET', KEYS[1], 'status', ARGV[1], 'response', ARGV[2], 'meta', ARGV[3])
  stands = ARGV[1]
elseif ARGV[1] == 'completed' and redis.call('HGET', KEYS[1], 'meta') ~= ARGV[3] then
  another = 1
end
-- Also for a repeat: a write each time is what a WAIT for replicas confirms.
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call(ARGV[6], ARGV[5], stands)
return {stands, another}
