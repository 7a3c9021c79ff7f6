using System.Net;
using Garnet.server;
using Garnet.server.Auth.Settings;

namespace LlmPipeline;

/// <summary>Garnet's options for a store in memory. As objects: to read the same from a command line takes Garnet 170 ms.</summary>
internal static class GarnetOptions
{
    /// <summary>The options for a store on this port of the loopback address.</summary>
    public static GarnetServerOptions For(int port, string password) => new()
    {
        EndPoints = [new IPEndPoint(IPAddress.Loopback, port)],
        AuthSettings = new PasswordAuthenticationSettings(password),
        // A limit that is never reached. Garnet's log only grows, and past the limit it drops the keys that were not written lately, in silence
        // and also when most of the log is deleted keys. Pages are allocated as they fill, so that the limit itself costs nothing.
        // Do not switch revivification on to save memory: with it SETBIT shows a deleted value's bytes as bits of a new bitmap.
        LogMemorySize = "64g",
        PageSize = "4m",
        IndexMemorySize = "8m",
        EnableLua = true,
        LuaOptions = new LuaOptions(null),
        // Without it two scripts on the same key run at the same time.
        LuaTransactionMode = true,
        // What Garnet's own command line sets.
        NetworkBufferPoolSize = "64m",
        NetworkBufferMemoryBudget = "1g",
        QuietMode = true,
    };
}
