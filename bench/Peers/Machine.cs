using System.Runtime.InteropServices;

namespace LlmPipeline.Bench;

/// <summary>Where it was measured.</summary>
internal static class Machine
{
    /// <summary>A line for people: cores, systems and versions, and what else the machine had to do when it began.</summary>
    public static async Task<string> DescribeAsync(BenchRedis redis)
    {
        // Before anything else: this program's own work counts too.
        var load = File.Exists("/proc/loadavg") ? string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ')[..3]) : "unknown";
        return $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB, {System()}, .NET {Environment.Version}, Redis {await redis.VersionAsync()}, "
            + $"Node {await VersionAsync("node")}, {await VersionAsync(PeerFolder.Python)}; load at the start {load}; {TimeProvider.System.GetUtcNow():yyyy-MM-dd}";
    }

    private static string System() => File.Exists("/etc/os-release")
        ? File.ReadLines("/etc/os-release").FirstOrDefault(line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))?[12..].Trim('"') ?? RuntimeInformation.OSDescription
        : RuntimeInformation.OSDescription;

    private static async Task<string> VersionAsync(string program)
    {
        try
        {
            return (await FinishedProcess.RunAsync(program, ["--version"])).Output.Trim();
        }
        catch (MeasurementException)
        {
            return "missing";
        }
    }
}
