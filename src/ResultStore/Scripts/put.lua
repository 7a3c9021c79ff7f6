-- Stores the ends of jobs: a completion replaces anything but a completion, an error only nothing.
-- KEYS 1 what exists while somebody waits for a result (where that lies elsewhere: any of the results)  then results (<= 256); the name of each is also the channel
--      to wake its waiters on
-- ARGV 1 TTL, s  2 publish verb  3 "1": wake in any case  then per result: status, body, meta
-- Returns per result: the status that stands now, 1 when that is a completion and this is another one; nothing at all when none stood before
-- Idempotent because the same result again changes nothing but begins the TTL anew.
redis.call('HDEL', KEYS[2], '')
local out, seen, known, time = {}, {}, redis.call('EXISTS', unpack(KEYS, 2)) > 0, redis.call('TIME')
local waited = ARGV[3] == '1' or redis.call('EXISTS', KEYS[1]) == 1
-- Given as a time and not as a TTL it takes Redis a quarter less: that is how it keeps it and tells it to replicas.
local ends = string.format('%.0f', (time[1] + ARGV[1]) * 1000)
for n = 1, #KEYS - 1 do
  local key, status, meta, another = KEYS[n + 1], ARGV[3 * n + 1], ARGV[3 * n + 3], 0
  known = known or seen[key]
  local stands = known and redis.call('HGET', key, 'status')
  if not stands or (status == 'completed' and stands ~= 'completed') then
    redis.call('HSET', key, 'status', status, 'body', ARGV[3 * n + 2], 'meta', meta)
    stands, seen[key] = status, true
  elseif status == 'completed' and redis.call('HGET', key, 'meta') ~= meta then
    another = 1
  end
  -- Also for a repeat: a write each time is what a WAIT for replicas confirms.
  redis.call('PEXPIREAT', key, ends)
  if waited then redis.call(ARGV[2], key, stands) end
  out[2 * n - 1], out[2 * n] = stands, another
end
return known and out or {}
