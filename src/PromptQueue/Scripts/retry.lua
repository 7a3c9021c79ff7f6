-- Ends claims for now: the jobs wait for another try, after a delay.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 inflight  8 leases  9 dead  10 cancel  11 stopped  12 spent  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 batch TTL, s
--      then per job: id, token, attempts charged so far, delay ms, lane (1-3), batch ('' for none), its place (1, 2 ...; 0 for none), costs ('nanos deployment', a line each),
--      what is kept for its next claims ('' for nothing): see JobHistory
--      What is asked to stop is not delayed, so that it ends soon.
-- Returns {'OK', a sign per job: 1 settled | 0 had ended already | - someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because the claim's token is gone after the first time.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now = clock(meta[3], meta[4])
local signs, wake = {}, false
for i = 6, #ARGV, 9 do
  local id, delay = ARGV[i], tonumber(ARGV[i + 3])
  local token, lost = string.match(redis.call('HGET', KEYS[8], id) or '', '^([^|]*)|%d+|(%d+)|')
  local sign = '-'
  if token == ARGV[i + 1] then
    redis.call('ZREM', KEYS[7], id)
    redis.call('HSET', KEYS[8], id, table.concat({'', ARGV[i + 2], lost, ARGV[i + 8] ~= '' and '|' .. ARGV[i + 8] or ''}, '|'))
    if redis.call('SISMEMBER', KEYS[10], id) == 1 or redis.call('ZSCORE', KEYS[11], ARGV[i + 5]) then delay = 0 end
    if delay > 0 then
      redis.call('ZADD', KEYS[6], string.format('%.0f', now + delay), id)
      if redis.call('ZRANGE', KEYS[6], 0, 0)[1] == id then wake = true end
    else
      redis.call('LPUSH', KEYS[2 + tonumber(ARGV[i + 4])], id)
      wake = true
    end
    for nanos, name in string.gmatch(ARGV[i + 7], '(%d+) ([^\n]*)') do
      redis.call('HINCRBY', KEYS[12], name, nanos)
      if ARGV[i + 6] ~= '0' then redis.call('HINCRBY', KEYS[10 + 3 * tonumber(ARGV[i + 6])], 'spent', nanos) end
    end
    sign = '1'
  elseif redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[9], id) then
    sign = '0'
  end
  signs[#signs + 1] = sign
end
for i = 13, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
if wake then redis.call(ARGV[4], ARGV[3], '1') end
return {'OK', table.concat(signs)}
