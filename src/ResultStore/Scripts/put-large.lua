-- Stores the end of one job whose body is large. The body was written to a key of its own before, because Lua copies each argument several times, and Redis
-- answers nobody meanwhile.
-- KEYS 1 what exists while somebody waits for a result (where that lies elsewhere: the result)  2 the result; its name is also the channel to wake its waiters on
--      3 a hash with the body
-- ARGV 1 TTL, s  2 publish verb  3 "1": wake in any case  4 status  5 meta
-- Returns the status that stands now, 1 when that is a completion and this is another one; nothing when the body is not there: it expires after a while.
-- Idempotent because the same result again changes nothing but begins the TTL anew. The hash with the body is gone afterwards.
local stands, another, time = redis.call('HGET', KEYS[2], 'status'), 0, redis.call('TIME')
if not stands or (ARGV[4] == 'completed' and stands ~= 'completed') then
  if redis.call('HEXISTS', KEYS[3], 'body') == 0 then return {} end
  redis.call('HSET', KEYS[3], 'status', ARGV[4], 'meta', ARGV[5])
  redis.call('RENAME', KEYS[3], KEYS[2])
  stands = ARGV[4]
else
  redis.call('DEL', KEYS[3])
  if ARGV[4] == 'completed' and redis.call('HGET', KEYS[2], 'meta') ~= ARGV[5] then another = 1 end
end
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', (time[1] + ARGV[1]) * 1000))
if ARGV[3] == '1' or redis.call('EXISTS', KEYS[1]) == 1 then redis.call(ARGV[2], KEYS[2], stands) end
return {stands, another}
