-- Drops what the only reader of a batch has taken: the finished list up to a position, 10,000 a call, and the dead letters of ids.
-- KEYS 1 jobs  2 leases  3 dead  4 batch  5 finished
-- ARGV 1 position up to which the list was read  then ids
-- Returns the position up to which the list is gone
-- Idempotent because the batch remembers how much of the list is gone.
redis.call('ZREM', KEYS[3], '')
local taken = tonumber(redis.call('HGET', KEYS[4], 'taken') or 0)
local upTo = math.min(tonumber(ARGV[1]), taken + 10000)
if upTo > taken then
  redis.call('LTRIM', KEYS[5], string.format('%.0f', upTo - taken), -1)
  redis.call('HSET', KEYS[4], 'taken', string.format('%.0f', upTo))
end
for i = 2, #ARGV do
  if redis.call('ZREM', KEYS[3], ARGV[i]) == 1 then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return string.format('%.0f', math.max(upTo, taken))
