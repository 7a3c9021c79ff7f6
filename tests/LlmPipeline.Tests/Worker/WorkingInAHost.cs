using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.SemanticKernel;

namespace LlmPipeline.Tests;

public sealed class WorkingInAHost
{
    private static readonly PromptFunction Function = PromptFunction.FromFiles("f", new Dictionary<string, ReadOnlyMemory<byte>>
    {
        ["skprompt.txt"] = """<message role="user">Say it.</message><message role="assistant">{"at":"then"}</message><message role="user">When is {{$x}}?</message>"""u8.ToArray(),
        ["config.json"] = """
            {"execution_settings":{"default":{"function_choice_behavior":{"type":"auto","functions":["clock.now"]},
            "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","required":["at"],"properties":{"at":{"type":"string"}}}}}}}}
            """u8.ToArray(),
    });

    [Fact]
    public async Task A_registered_plugin_is_a_tool_and_files_schema_and_examples_come_with_the_queue()
    {
        var called = 0;
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Record = true });
        await using var host = await HostAsync(llm, services => services.AddKernel().Plugins.AddFromFunctions("clock", [KernelFunctionFactory.CreateFromMethod(() => $"{Interlocked.Increment(ref called)}", "now")]));
        var result = await host.RunAsync("<b>now</b>\u0001");

        Assert.True(result.Status == ResultStatus.Completed, result.Meta.Error?.Message);
        Assert.Equal((1, 2, 0, 1), (called, llm.Stats.Calls, result.Meta.Reasks, result.Meta.Attempts));
        Assert.Equal((llm.Stats.TokensIn, llm.Stats.TokensOut), (result.Meta.InputTokens, result.Meta.OutputTokens));
        using var sent = JsonDocument.Parse(llm.Requests[^1].Body);
        Assert.Equal(
            ["Say it.", """{"at":"then"}""", "When is <b>now</b>\u0001?"],
            sent.RootElement.GetProperty("messages").EnumerateArray().Take(3).Select(m => m.GetProperty("content").GetString()));
        Assert.Equal("s", sent.RootElement.GetProperty("response_format").GetProperty("json_schema").GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_mismatch_ends_in_a_result_with_both_texts_and_the_number_of_questions()
    {
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { MisfitShare = 1 });
        await using var host = await HostAsync(llm, services => services.AddKernel().Plugins.AddFromFunctions("clock", [KernelFunctionFactory.CreateFromMethod(() => "noon", "now")]));
        var result = await host.RunAsync("it");

        Assert.Equal((ResultStatus.Failed, "schema_mismatch", 2, 1, 200), (result.Status, result.Meta.Error!.Code, result.Meta.Reasks, result.Meta.Attempts, result.Meta.StatusCode));
        Assert.StartsWith("the answer does not fit the schema, asked 3 times: ", result.Meta.Error.Message, StringComparison.Ordinal);
        Assert.Contains("\"content\":", System.Text.Encoding.UTF8.GetString(result.Response.Span), StringComparison.Ordinal);
        Assert.Equal((llm.Stats.TokensIn, llm.Stats.TokensOut), (result.Meta.InputTokens, result.Meta.OutputTokens));
    }

    [Fact]
    public async Task Without_the_plugin_the_row_fails_and_says_which_tool_is_missing()
    {
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions());
        await using var host = await HostAsync(llm, _ => { });
        var result = await host.RunAsync("it");
        Assert.Equal((ResultStatus.Failed, "f: function_choice_behavior.functions: the tool clock.now is not registered with this worker"), (result.Status, result.Meta.Error?.Message));
        Assert.Equal(0, llm.Stats.Calls);
    }

    private static async Task<RunningHost> HostAsync(LlmSimulator llm, Action<IServiceCollection> more)
    {
        var redis = (await RedisServer.SharedAsync()).Address;
        var (prefix, model) = (Stores.NewName("host") + ":", Stores.NewName("model"));
        var services = new ServiceCollection()
            .AddPromptQueue(redis, o => o.KeyPrefix = prefix)
            .AddResultStore(redis, o => o.KeyPrefix = prefix)
            .AddLlmWorker(redis, o => o.Deployments.Add(new DeploymentOptions { Name = model, Endpoint = llm.BaseUrl.ToString(), Model = model }));
        more(services);
        var provider = services.BuildServiceProvider();
        foreach (var hosted in provider.GetServices<IHostedService>())
            await hosted.StartAsync(default);
        return new RunningHost(provider, model);
    }

    private sealed class RunningHost(ServiceProvider services, string model) : IAsyncDisposable
    {
        public async Task<JobResult> RunAsync(string x)
        {
            var queue = services.GetRequiredService<PromptQueue>();
            await queue.SavePromptAsync(Function.Sha, Function.Name, Function.Files);
            var id = Stores.NewName("job");
            await queue.EnqueueAsync([new Job { Id = id, Queue = model, Work = new PromptWork { Function = "f", Sha = Function.Sha, Variables = new Dictionary<string, string> { ["x"] = x } } }]);
            return await services.GetRequiredService<ResultStore>().WaitAsync(id).WaitAsync(TimeSpan.FromSeconds(60));
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var hosted in services.GetServices<IHostedService>())
                await hosted.StopAsync(default);
            await services.DisposeAsync();
        }
    }
}
