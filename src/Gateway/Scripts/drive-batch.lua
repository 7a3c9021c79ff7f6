-- Takes, renews or gives up the lease of who takes a batch on.
-- KEYS 1 lease
-- ARGV 1 token  2 lease, ms (0: gives it up)
-- Returns 1 it is held (or given up) | 0 it is another's
-- Idempotent because who holds it may ask again. Redis keeps the end as a time: where its clock has stepped back, it is no further ahead than a renewal puts it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  if ARGV[2] ~= '0' and redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
