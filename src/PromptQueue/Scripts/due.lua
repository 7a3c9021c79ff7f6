-- No script of its own, but what one begins with that takes jobs: makeDue(delayed, jobs, first, now) puts delayed jobs that are due to the front of their lanes, 100 at most.
-- KEYS 1 to 3 of those from first on: waiting high, normal, low
-- Returns nothing.
-- Idempotent because what it has put there is no longer delayed.
local function makeDue(delayed, jobs, first, now)
  local ids = redis.call('ZRANGEBYSCORE', delayed, '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)
  for i = #ids, 1, -1 do
    redis.call('ZREM', delayed, ids[i])
    local envelope = redis.call('HGET', jobs, ids[i]) or ''
    redis.call('LPUSH', KEYS[first - 1 + tonumber(string.match(envelope, '^[123]') or 2)], ids[i])
  end
end
