-- Takes, or renews, the lock of a batch: of the runs of a batch one is live.
-- KEYS 1 lock
-- ARGV 1 owner  2 how long it holds without a renewal, ms
-- Returns {1} when the owner has it now, or {0, its holder, ms until that ends}
-- Idempotent because the owner takes what is the owner's. Redis keeps the end as a time: where its clock has stepped back, it is no further ahead than a renewal puts it.
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return {0, held, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1}
