using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>No call to Redis goes around <see cref="RedisCalls"/>, which repeats it.</summary>
public sealed class CallingRedisInOnePlace
{
    // Each has a loop of its own that must know of every failure, or a bound in time.
    private static readonly string[] WithLoopsOfTheirOwn =
    [
        "src/Cli/Fleet/WorkMonitoring.cs", "src/Cli/ServeCommand.cs", "src/LlmWorker/ClaimGate.cs", "src/LlmWorker/Quota/FleetPermits.cs", "src/LlmWorker/Quota/RedisLedger.cs",
        "src/LlmWorker/WorkerProcess.cs", "src/Monitoring/RedisHealth.cs", "src/PromptQueue/QueuePartition.Claiming.cs", "src/PromptQueue/QueuePartition.Stopping.cs",
        "src/PromptQueue/QueuePartition.cs", "src/ResultStore/LargeResults.cs", "src/ResultStore/StreamPauses.cs", "src/ResultStore/WaitMark.cs",
    ];

    [Fact]
    public void The_interfaces_of_the_client_are_banned_outside_its_own_project()
    {
        var banned = Repository.Read("BannedSymbols.Redis.txt");
        foreach (var type in (string[])["IDatabase", "IDatabaseAsync", "IServer", "ISubscriber", "ConnectionMultiplexer", "IConnectionMultiplexer"])
            Assert.Contains($"T:StackExchange.Redis.{type};", banned, StringComparison.Ordinal);
        Assert.Contains("BannedSymbols.Redis.txt", Repository.Read("Directory.Build.props"), StringComparison.Ordinal);
        Assert.DoesNotContain(Sources(), file => Repository.Read(file).Contains("RS0030", StringComparison.Ordinal));
    }

    [Fact]
    public void The_interfaces_of_the_client_are_not_used_outside_its_own_project()
    {
        var raw = new Regex(@"\b(IDatabase|IDatabaseAsync|ISubscriber|ConnectionMultiplexer|GetDatabase|GetSubscriber)\b");
        Assert.DoesNotContain(Sources(), file => raw.IsMatch(Repository.Read(file)));
    }

    [Fact]
    public void Only_who_has_a_loop_of_its_own_calls_once() =>
        Assert.Equal(
            WithLoopsOfTheirOwn.Order(StringComparer.Ordinal),
            Sources().Where(file => Repository.Read(file).Contains(".Once", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    private static IEnumerable<string> Sources() => Repository.Files("src", "*.cs").Where(file => !file.StartsWith("src/Redis/", StringComparison.Ordinal));
}
