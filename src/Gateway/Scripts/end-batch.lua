-- Ends a batch: its files lie whole in the folder and are known from now on, its input is free.
-- KEYS 1 batch  2 lease  3 open  4 live  5 input file  6 files  7 files of outputs  8 expiry  9 output file  10 error file
-- ARGV 1 token  2 status that it must have  3 status that it gets  4 id  5 purpose of its files  6 seconds until they expire (0: never)
--      7 id of the output  8 its bytes, or -1 for none  9 id of the errors  10 their bytes, or -1  then field, value ...
-- Returns 1 ended | 0 the lease is not held | -1 it has another status
-- Idempotent because a batch that was ended so before is left alone.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local status = redis.call('HGET', KEYS[1], 'status')
if status == ARGV[3] then return 1 end
if status ~= ARGV[2] then return -1 end
local time = redis.call('TIME')
local order = string.format('%.0f', time[1] * 1000000 + time[2])
for n, name in ipairs({'output', 'error'}) do
  local id, bytes = ARGV[5 + 2 * n], ARGV[6 + 2 * n]
  redis.call('HDEL', KEYS[4], id)
  if bytes ~= '-1' then
    local expires = ARGV[6] == '0' and '0' or string.format('%.0f', time[1] + ARGV[6])
    redis.call('HSET', KEYS[8 + n], 'bytes', bytes, 'created_at', time[1], 'expires_at', expires, 'uses', '0', 'purpose', ARGV[5], 'filename', ARGV[4] .. '_' .. name .. '.jsonl')
    redis.call('ZADD', KEYS[6], order, id)
    redis.call('ZADD', KEYS[7], order, id)
    if expires ~= '0' then redis.call('ZADD', KEYS[8], expires, id) end
    redis.call('HSET', KEYS[1], name .. '_file_id', id)
  end
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], ARGV[3] .. '_at', time[1], unpack(ARGV, 11))
redis.call('ZREM', KEYS[3], ARGV[4])
if redis.call('EXISTS', KEYS[5]) == 1 then redis.call('HINCRBY', KEYS[5], 'uses', -1) end
return 1
