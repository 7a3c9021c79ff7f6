using System.CommandLine;
using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>What the drivers have in common: the options that the peers' drivers have, and the line of JSON.</summary>
internal static class DriverOptions
{
    public static Option<string> Redis() => new("--redis") { DefaultValueFactory = _ => "127.0.0.1:6379", HelpName = "HOST:PORT" };

    public static Option<int> Jobs() => new("--jobs") { DefaultValueFactory = _ => 20_000 };

    public static Option<int> Concurrency() => new("--concurrency") { DefaultValueFactory = _ => 100 };

    public static void Say(Dictionary<string, object?> line) => Console.WriteLine(JsonSerializer.Serialize(line));
}
