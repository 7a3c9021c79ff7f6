-- Looks where a job is, all at once, and puts it into exactly one place when asked to.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 inflight  8 leases  9 dead  10 cancel
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 "1": mend  6 id  7 ids to look through in the lists, at most
-- Returns {'OK', envelope 1|0, times in the lists, delayed 1|0, inflight 1|0, dead 1|0, lease 0 none|1 without a token|2 with one, asked to stop 1|0,
--      1 when the lists are longer than that: then they were not looked through, and nothing was put anywhere}
--      as it was before, or {'MISMATCH', partitions, version}
-- Idempotent because a job in its one place is left there.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local id = ARGV[6]
local envelope, waiting, lane = redis.call('HGET', KEYS[2], id), 0, nil
local long = redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]) + redis.call('LLEN', KEYS[5]) > tonumber(ARGV[7])
for key = 5, long and 6 or 3, -1 do
  local found = #(redis.call('LPOS', KEYS[key], id, 'COUNT', 2) or {})
  if found > 0 then waiting, lane = waiting + found, KEYS[key] end
end
local delayed, inflight, dead = redis.call('ZSCORE', KEYS[6], id), redis.call('ZSCORE', KEYS[7], id), redis.call('ZSCORE', KEYS[9], id)
local lease, asked = redis.call('HGET', KEYS[8], id), redis.call('SISMEMBER', KEYS[10], id)
local held = lease and string.sub(lease, 1, 1) ~= '|'
local out = {'OK', envelope and 1 or 0, waiting, delayed and 1 or 0, inflight and 1 or 0, dead and 1 or 0, held and 2 or lease and 1 or 0, asked, long and 1 or 0}
if long or ARGV[5] ~= '1' then return out end

-- The place of the most life stands; a job without one waits again. Without an envelope there is nothing that could be run.
local place = 'waiting'
if not envelope then place = 'none' elseif inflight and held then place = 'inflight' elseif waiting > 0 then place = 'waiting'
elseif delayed then place = 'delayed' elseif dead and not inflight then place = 'dead' end
if place ~= 'inflight' then redis.call('ZREM', KEYS[7], id) end
if place ~= 'delayed' then redis.call('ZREM', KEYS[6], id) end
if place ~= 'dead' then redis.call('ZREM', KEYS[9], id) end
if waiting > 1 or (waiting > 0 and place ~= 'waiting') then
  for key = 3, 5 do redis.call('LREM', KEYS[key], 0, id) end
  waiting = 0
end
if place == 'waiting' and waiting == 0 then
  redis.call('RPUSH', lane or KEYS[2 + tonumber(string.match(envelope, '^[123]') or 2)], id)
  redis.call(ARGV[4], ARGV[3], '1')
end
if place == 'none' or place == 'dead' then
  redis.call('HDEL', KEYS[8], id)
  redis.call('SREM', KEYS[10], id)
elseif held and place ~= 'inflight' then
  local charged, used = string.match(lease, '^[^|]*|(%d+|%d+|)[^|]*(.*)$')
  redis.call('HSET', KEYS[8], id, '|' .. (charged or '0|0|') .. (used or ''))
end
return out
