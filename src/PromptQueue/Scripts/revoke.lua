-- Counts rows that ended as completed as failed.
-- KEYS 1 batch  2 ended
-- ARGV rows (1-500)
-- Returns how many were counted as completed
-- Idempotent because a row's two bits say as what it is counted.
redis.call('HDEL', KEYS[1], '')
local turned = 0
for i = 1, #ARGV do
  if redis.call('BITFIELD', KEYS[2], 'GET', 'u2', '#' .. ARGV[i])[1] == 1 then
    redis.call('BITFIELD', KEYS[2], 'SET', 'u2', '#' .. ARGV[i], 2)
    turned = turned + 1
  end
end
if turned > 0 then
  redis.call('HINCRBY', KEYS[1], 'completed', -turned)
  redis.call('HINCRBY', KEYS[1], 'failed', turned)
end
return turned
