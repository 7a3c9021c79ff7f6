-- Asks jobs to stop: claims, sweeps and renewals report it, and a worker ends them. A delayed job is made due. A message names the jobs, so that workers look at once.
-- KEYS 1 meta  2 jobs  3 delayed  4 dead  5 cancel
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  then ids (<= 500)
-- Returns {'OK', per id: 1 asked | 0 not there, or has ended} or {'MISMATCH', partitions, version}
-- Idempotent because a flag that is set is set.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now = string.format('%.0f', (clock(meta[3], meta[4])))
local out, asked = {'OK'}, {}
for i = 5, #ARGV do
  local id, answer = ARGV[i], 0
  if redis.call('HEXISTS', KEYS[2], id) == 1 and not redis.call('ZSCORE', KEYS[4], id) then
    redis.call('SADD', KEYS[5], id)
    redis.call('ZADD', KEYS[3], 'XX', now, id)
    asked[#asked + 1], answer = id, 1
  end
  out[#out + 1] = answer
end
if #asked > 0 then redis.call(ARGV[4], ARGV[3], '!' .. table.concat(asked, '\n')) end
return out
