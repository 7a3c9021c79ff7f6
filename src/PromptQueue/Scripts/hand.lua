-- No script of its own, but what one begins with that brings a job: hand(first, id, envelope, now, wall) gives it to a worker whose claim stands, as the late answer to that claim.
-- KEYS 1 to 5 of those from first on: standing, inflight, leases, workers, cancel
-- ARGV 3 wake channel  4 publish verb
-- A standing claim is 'token|worker|lease, ms|ear|what a result's key begins with where it can be looked at here, else empty'. It is heard on the wake channel's name, a colon and the ear.
-- The message: token, '1' when no result stands, else '0' (to be looked for), now in Unix ms, id, envelope; a line each, the last may have several.
-- Returns whether the job was given. Then all that is left is to store its envelope.
-- Idempotent as the script is that calls it. Who doesn't hear of the job finds it by the token (held.lua), or its lease runs out.
local function hand(first, id, envelope, now, wall)
  if #envelope > 65536 or redis.call('SISMEMBER', KEYS[first + 4], id) == 1 then return false end
  -- Of those that nobody hears any more, a few a call; the job is told to all then.
  for _ = 1, 16 do
    local stands = redis.call('ZPOPMIN', KEYS[first])[1]
    if not stands then return false end
    local token, worker, lease, ear, results = string.match(stands, '^([^|]*)|([^|]*)|(%d+)|(%x+)|(.*)$')
    local channel = ARGV[3] .. ':' .. ear
    -- Not by how many PUBLISH has reached: what was sent must be true already. Of who is gone nobody listens.
    local listeners = redis.pcall('PUBSUB', ARGV[4] == 'SPUBLISH' and 'SHARDNUMSUB' or 'NUMSUB', channel)
    if listeners[2] and listeners[2] > 0 then
      redis.call('ZADD', KEYS[first + 1], string.format('%.0f', now + lease), id)
      redis.call('HSET', KEYS[first + 2], id, token .. '|0|0|' .. worker)
      redis.call('ZADD', KEYS[first + 3], string.format('%.0f', now), worker)
      local isNew = results ~= '' and redis.pcall('EXISTS', results .. id) == 0
      redis.call(ARGV[4], channel, table.concat({token, isNew and '1' or '0', string.format('%.0f', wall), id, envelope}, '\n'))
      return true
    end
  end
  return false
end
