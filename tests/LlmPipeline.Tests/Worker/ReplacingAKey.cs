namespace LlmPipeline.Tests;

/// <summary>Keys of providers that are in files: <see cref="ProviderKey"/>.</summary>
public sealed class ReplacingAKey : IDisposable
{
    private const string Body = """{"model":"m","messages":[{"role":"user","content":"hello"}]}""";
    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public void A_file_that_changes_is_read_again_and_an_empty_one_is_passed_over()
    {
        Write("first\n", 1);
        var key = new ProviderKey(new DeploymentOptions { ApiKeyFile = _file });
        var told = new List<string>();
        key.Changed += keys => told.AddRange(keys);
        Assert.Equal("first", key.Current);
        Assert.Equal("first", key.Refresh());
        Write("", 2);
        Assert.Equal("first", key.Refresh());
        Write("second", 3);
        Assert.Equal("second", key.Refresh());
        Assert.Equal(["first", "second"], told.Order());
        File.Delete(_file);
        Assert.Equal("second", key.Refresh());
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("two\nlines", "holds more than one line")]
    public void A_file_without_a_key_is_a_fault(string text, string fault)
    {
        Write(text, 1);
        Assert.Contains(fault, ProviderKey.Fault(_file), StringComparison.Ordinal);
        File.Delete(_file);
        Assert.Contains("cannot be read", ProviderKey.Fault(_file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DeploymentKind.OpenAI)]
    [InlineData(DeploymentKind.AzureOpenAI)]
    public async Task Calls_are_signed_with_the_key_of_the_file(DeploymentKind kind)
    {
        Write("first-key", 1);
        await using var first = await LlmSimulator.StartAsync(new SimulatorOptions { ApiKey = "first-key" });
        await using var second = await LlmSimulator.StartAsync(new SimulatorOptions { ApiKey = "second-key" });
        Assert.Equal(CallVerdict.Completed, await CallAsync(first));
        await using var caller = Caller(second);
        Write("second-key", 2);
        Assert.Equal(CallVerdict.Completed, (await caller.CallAsync(CallerHouse.Request(Body), 0, default)).Verdict);

        async Task<CallVerdict> CallAsync(LlmSimulator llm)
        {
            await using var own = Caller(llm);
            return (await own.CallAsync(CallerHouse.Request(Body), 0, default)).Verdict;
        }

        LlmCaller Caller(LlmSimulator llm) => CallerHouse.Caller(CallerHouse.Options(new DeploymentOptions
        {
            Name = "one",
            Kind = kind,
            Endpoint = kind == DeploymentKind.OpenAI ? llm.BaseUrl.ToString() : llm.Address.ToString(),
            ApiKeyFile = _file,
        }));
    }

    public void Dispose() => File.Delete(_file);

    // Files of a test are written faster than a clock of files ticks.
    private void Write(string text, int second)
    {
        File.WriteAllText(_file, text);
        File.SetLastWriteTimeUtc(_file, new DateTime(2026, 1, 1, 0, 0, second, DateTimeKind.Utc));
    }
}
