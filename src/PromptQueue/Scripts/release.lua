-- Gives claimed jobs back as they were: to the front of their lane, no attempt charged.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 inflight  7 leases  8 dead
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  then per job: id, token, lane (1-3)
-- Returns {'OK', a sign per job: 1 settled | 0 had ended already | - someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because the claim's token is gone after the first time. From the last to the first, so that they wait in the order given.
redis.call('ZREM', KEYS[6], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local signs, wake = {}, false
for i = #ARGV - 2, 5, -3 do
  local id = ARGV[i]
  local token, attempt, lost, used = string.match(redis.call('HGET', KEYS[7], id) or '', '^([^|]*)|(%d+)|(%d+)|[^|]*(.*)$')
  local sign = '-'
  if token == ARGV[i + 1] then
    redis.call('ZREM', KEYS[6], id)
    redis.call('HSET', KEYS[7], id, table.concat({'', attempt, lost, ''}, '|') .. used)
    redis.call('LPUSH', KEYS[2 + tonumber(ARGV[i + 2])], id)
    sign, wake = '1', true
  elseif redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[8], id) then
    sign = '0'
  end
  table.insert(signs, 1, sign)
end
if wake then redis.call(ARGV[4], ARGV[3], '1') end
return {'OK', table.concat(signs)}
