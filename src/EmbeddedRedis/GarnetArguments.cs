using System.Globalization;
using System.Net;

namespace LlmPipeline;

/// <summary>Garnet's command line for a store in memory.</summary>
internal static class GarnetArguments
{
    /// <summary>The arguments for a store on this port of the loopback address.</summary>
    public static string[] For(int port, string password) =>
    [
        "--bind", IPAddress.Loopback.ToString(),
        "--port", port.ToString(CultureInfo.InvariantCulture),
        "--auth", "Password",
        "--password", password,
        // A limit that is never reached. Garnet's log only grows, and past the limit it drops the keys that were not written lately, in silence
        // and also when most of the log is deleted keys. Pages are allocated as they fill, so that the limit itself costs nothing.
        // Do not switch revivification on to save memory: with it SETBIT shows a deleted value's bytes as bits of a new bitmap.
        "--memory", "64g",
        "--page", "4m",
        "--index", "8m",
        "--lua",
        // Without it two scripts on the same key run at the same time.
        "--lua-transaction-mode",
        "--disable-console-logger",
        "-q",
    ];
}
