-- Takes rows of a batch off a queue that no worker runs now: a run continues them in its private queue. What is left of them in the lists is passed over by claims.
-- KEYS 1 meta  2 jobs  3 delayed  4 inflight  5 leases  6 dead  7 cancel  8 deadlines  9 batch
-- ARGV 1 partitions  2 schema version  then ids (<= 500)
-- Returns {'OK', per id: 1 withdrawn | 0 is not there | 2 runs now | 3 is dead} or {'MISMATCH', partitions, version}
-- Idempotent in effect: what a lost answer withdrew is answered as not there, and counts once.
redis.call('ZREM', KEYS[4], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end
local out, gone = {'OK'}, 0
for i = 3, #ARGV do
  local id, code = ARGV[i], 1
  if redis.call('HEXISTS', KEYS[2], id) == 0 then code = 0
  elseif redis.call('ZSCORE', KEYS[4], id) then code = 2
  elseif redis.call('ZSCORE', KEYS[6], id) then code = 3
  else
    gone = gone + 1
    redis.call('HDEL', KEYS[2], id) redis.call('ZREM', KEYS[3], id) redis.call('HDEL', KEYS[5], id)
    redis.call('SREM', KEYS[7], id) redis.call('ZREM', KEYS[8], id)
  end
  out[#out + 1] = code
end
if gone > 0 and redis.call('EXISTS', KEYS[9]) == 1 then redis.call('HINCRBY', KEYS[9], 'expected', -gone) end
return out
