-- Stores the ends of jobs: a completion replaces anything but a completion, an error only nothing.
-- KEYS 1 to n (<= 256) results; the name of each is also the channel to wake its waiters on
-- ARGV 1 TTL, s  2 publish verb  then per result: status, body, meta
-- Returns per result: the status that stands now, 1 when that is a completion and this is another one; nothing at all when none stood before
-- Idempotent because the same result again changes nothing but begins the TTL anew.
redis.call('HDEL', KEYS[1], '')
local out, seen, known, time = {}, {}, redis.call('EXISTS', unpack(KEYS)) > 0, redis.call('TIME')
local stood = known
-- Given as a time and not as a TTL it takes Redis a quarter less: that is how it keeps it and tells it to replicas.
local ends = string.format('%.0f', (time[1] + ARGV[1]) * 1000)
for n = 1, #KEYS do
  local key, status, meta, another = KEYS[n], ARGV[3 * n], ARGV[3 * n + 2], 0
  local stands = (known or seen[key]) and redis.call('HGET', key, 'status')
  stood = stood or stands
  if not stands or (status == 'completed' and stands ~= 'completed') then
    redis.call('HSET', key, 'status', status, 'body', ARGV[3 * n + 1], 'meta', meta)
    stands, seen[key] = status, true
  elseif status == 'completed' and redis.call('HGET', key, 'meta') ~= meta then
    another = 1
  end
  -- Also for a repeat: a write each time is what a WAIT for replicas confirms.
  redis.call('PEXPIREAT', key, ends)
  redis.call(ARGV[2], key, stands)
  out[2 * n - 1], out[2 * n] = stands, another
end
return stood and out or {}
