using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

public sealed class StoringResults
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_result_comes_back_as_it_was_stored(Store store)
    {
        var results = await OpenAsync(store);
        var id = Stores.NewName("job");
        Assert.Null(await results.GetAsync(id));
        var result = new JobResult
        {
            JobId = id,
            Status = ResultStatus.Completed,
            Response = Encoding.UTF8.GetBytes("{\n  \"a\" : \"😀\"\r\n}\0"),
            Meta = new ResultMeta
            {
                CustomId = "own \"id\"",
                RequestId = "req-1",
                StatusCode = 200,
                Error = new ResultError("code", "message"),
                Model = "m",
                Deployment = "d",
                InputTokens = 1,
                CachedTokens = 2,
                OutputTokens = 3,
                Cost = 0.000123m,
                Attempts = 4,
                Flags = AnswerFlags.Lenient | AnswerFlags.CutOff,
                Enqueued = 5,
                Started = 6,
                Finished = 7,
            },
        };
        Assert.Equal(ResultStatus.Completed, await results.PutAsync(result));
        var back = await results.GetAsync(id);
        Assert.Equal(result.Response.ToArray(), back!.Response.ToArray());
        Assert.Equal(result with { Response = back.Response }, back);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_times_of_a_job_that_was_never_called_for_come_back(Store store)
    {
        var results = await OpenAsync(store);
        var result = Result(Stores.NewName("job"), ResultStatus.Cancelled) with { Meta = new ResultMeta { Enqueued = 1_795_549_599_958, Finished = 1_795_549_600_000 } };
        await results.PutAsync(result);
        Assert.Equal(result.Meta, (await results.GetAsync(result.JobId))!.Meta);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_completion_that_is_none_becomes_an_error_with_the_same_body_once(Store store)
    {
        var results = await OpenAsync(store);
        var completion = Result(Stores.NewName("job"), ResultStatus.Completed);
        var error = new ResultError("invalid_response", "no answer");
        Assert.False(await results.RevokeAsync(completion, error));
        await results.PutAsync(completion);
        Assert.False(await results.RevokeAsync(completion with { Meta = new ResultMeta { StatusCode = 201 } }, error));
        Assert.True(await results.RevokeAsync(completion, error));
        Assert.False(await results.RevokeAsync(completion, error));
        var revoked = (await results.GetAsync(completion.JobId))!;
        Assert.Equal((ResultStatus.Failed, error), (revoked.Status, revoked.Meta.Error));
        Assert.Equal(completion.Response.ToArray(), revoked.Response.ToArray());
        Assert.Equal(ResultStatus.Completed, await results.PutAsync(completion));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Ten_mebibytes_of_any_bytes_come_back(Store store)
    {
        var results = await OpenAsync(store);
        var body = new byte[10 * 1024 * 1024];
        new Random(1).NextBytes(body);
        var result = Result(Stores.NewName("job"), ResultStatus.Completed) with { Response = body };
        await results.PutAsync(result);
        Assert.Equal(body, (await results.GetAsync(result.JobId))!.Response.ToArray());
        await results.DeleteAsync([result.JobId]);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Large_results_are_read_in_parts_and_come_in_the_order_asked_for(Store store)
    {
        var results = await OpenAsync(store);
        int[] sizes = [6_000_000, 6_000_000, 0, 6_000_000, 20_000_000, 10];
        var ids = sizes.Select(_ => Stores.NewName("job")).ToArray();
        // Of the third there is none.
        for (var n = 0; n < sizes.Length; n++)
        {
            if (sizes[n] > 0)
                await results.PutAsync(Result(ids[n], ResultStatus.Completed) with { Response = new byte[sizes[n]] });
        }

        var read = new List<(string? Id, int Bytes)>();
        await foreach (var result in results.ReadAsync(ids))
            read.Add((result?.JobId, result?.Response.Length ?? 0));

        Assert.Equal(sizes.Select((size, n) => (size > 0 ? ids[n] : null, size)), read);
        Assert.Equal(6_000_000, await results.FindSizeAsync(ids[0]));
        Assert.Null(await results.FindSizeAsync(ids[2]));
        await results.DeleteAsync(ids);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_completion_replaces_an_error_and_nothing_replaces_a_completion(Store store)
    {
        foreach (var error in (ResultStatus[])[ResultStatus.Failed, ResultStatus.Cancelled, ResultStatus.Expired])
        {
            var results = await OpenAsync(store);
            var id = Stores.NewName("job");
            Assert.Equal(error, await results.PutAsync(Result(id, error, "first")));
            Assert.Equal(error, await results.PutAsync(Result(id, ResultStatus.Failed, "second")));
            Assert.Equal("first", await TextAsync(results, id));
            Assert.Equal(ResultStatus.Completed, await results.PutAsync(Result(id, ResultStatus.Completed, "paid")));
            Assert.Equal(ResultStatus.Completed, await results.PutAsync(Result(id, error, "late")));
            Assert.Equal(ResultStatus.Completed, await results.PutAsync(Result(id, ResultStatus.Completed, "paid twice")));
            Assert.Equal("paid", await TextAsync(results, id));
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_same_holds_for_large_bodies_which_leave_nothing_else_behind(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        var id = Stores.NewName("job");
        var completion = Large(id, ResultStatus.Completed, 'c');
        Assert.Equal(ResultStatus.Failed, await results.PutAsync(Large(id, ResultStatus.Failed, 'e')));
        Assert.Equal(ResultStatus.Failed, await results.PutAsync(Large(id, ResultStatus.Cancelled, 'f')));
        Assert.Equal('e', (char)(await results.GetAsync(id))!.Response.Span[^1]);
        Assert.Equal((ResultStatus.Completed, false), await results.StoreAsync(completion));
        Assert.Equal((ResultStatus.Completed, false), await results.StoreAsync(completion));
        Assert.Equal(
            (ResultStatus.Completed, true),
            await results.StoreAsync(Large(id, ResultStatus.Completed, 'd') with { Meta = new ResultMeta { StatusCode = 201 } }));
        Assert.Equal(ResultStatus.Completed, await results.PutAsync(Large(id, ResultStatus.Failed, 'g')));
        Assert.Equal('c', (char)(await results.GetAsync(id))!.Response.Span[^1]);
        Assert.False(await redis.Database.KeyExistsAsync($"result:{{result:{id}}}:body"));
        Assert.InRange((await redis.Database.KeyTimeToLiveAsync($"result:{id}"))!.Value.TotalDays, 29, 30);
        await results.DeleteAsync([id]);
    }

    [Fact]
    public async Task A_large_body_does_not_pass_through_a_script()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        await results.PutAsync(Result("job", ResultStatus.Completed) with { Response = new byte[30_000_000] });
        var info = (string)(await redis.Database.ExecuteAsync("INFO", "memory"))!;
        var lua = info.Split("\r\n").Single(line => line.StartsWith("used_memory_lua:", StringComparison.Ordinal)).Split(':')[1];
        Assert.InRange(long.Parse(lua, CultureInfo.InvariantCulture), 1, 2_000_000);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Many_are_stored_together_and_each_is_answered_as_if_it_were_alone(Store store)
    {
        const int More = 600;
        var results = await OpenAsync(store);
        var id = Stores.NewName("job");
        await results.PutAsync(Result(id + ".paid", ResultStatus.Completed, "first"));
        await results.PutAsync(Result(id + ".failed", ResultStatus.Failed, "first"));
        // The same job twice, as by a worker that has claimed it again after losing its lease.
        var again = Result(id + ".twice", ResultStatus.Completed, "second");
        JobResult[] all =
        [
            Result(id + ".new", ResultStatus.Completed, "new"), Result(id + ".paid", ResultStatus.Failed, "late"), Result(id + ".failed", ResultStatus.Completed, "paid"),
            Result(id + ".twice", ResultStatus.Completed, "first"), again with { Meta = again.Meta with { RequestId = "other" } }, Result(id + ".error", ResultStatus.Expired),
            .. Enumerable.Range(0, More).Select(n => Result($"{id}.{n}", ResultStatus.Completed, $"{n}")),
        ];
        var stored = await results.StoreAsync(all);
        Assert.Equal(
            [(ResultStatus.Completed, false), (ResultStatus.Completed, false), (ResultStatus.Completed, false), (ResultStatus.Completed, false), (ResultStatus.Completed, true), (ResultStatus.Expired, false)],
            stored.Take(6));
        Assert.All(stored.Skip(6), one => Assert.Equal((ResultStatus.Completed, false), one));
        Assert.Equal(["new", "first", "paid", "first"], await Task.WhenAll(new[] { ".new", ".paid", ".failed", ".twice" }.Select(name => TextAsync(results, id + name))));
        Assert.Equal(Enumerable.Range(0, More).Select(n => $"{n}"), await Task.WhenAll(Enumerable.Range(0, More).Select(n => TextAsync(results, $"{id}.{n}"))));
        Assert.Empty(await results.StoreAsync([]));
        Assert.Empty(await results.StatusesAsync([]));
        await results.DeleteAsync([.. all.Select(one => one.JobId)]);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Where_nothing_stood_what_was_stored_stands_but_for_what_comes_twice_in_the_call(Store store)
    {
        var results = await OpenAsync(store);
        var id = Stores.NewName("job");
        ResultStatus[] statuses = [ResultStatus.Completed, ResultStatus.Failed, ResultStatus.Cancelled, ResultStatus.Expired];
        Assert.Equal(statuses.Select(status => (status, false)), await results.StoreAsync([.. statuses.Select(status => Result($"{id}.{status}", status))]));
        var stored = await results.StoreAsync([Result(id, ResultStatus.Completed, "paid"), Result(id, ResultStatus.Failed, "late"), Result(id + ".other", ResultStatus.Failed)]);
        Assert.Equal([(ResultStatus.Completed, false), (ResultStatus.Completed, false), (ResultStatus.Failed, false)], stored);
        Assert.Equal("paid", await TextAsync(results, id));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Errors_are_forgotten_and_completions_are_not(Store store)
    {
        var results = await OpenAsync(store);
        var id = Stores.NewName("job");
        ResultStatus[] statuses = [ResultStatus.Completed, ResultStatus.Failed, ResultStatus.Cancelled, ResultStatus.Expired];
        foreach (var status in statuses)
            await results.PutAsync(Result($"{id}.{status}", status));
        string[] ids = [.. statuses.Select(s => $"{id}.{s}"), id + ".none"];
        Assert.Equal([.. statuses, null], await results.StatusesAsync(ids));
        Assert.Equal(3, await results.ForgetErrorsAsync(ids));
        Assert.Equal(0, await results.ForgetErrorsAsync(ids));
        Assert.Equal([ResultStatus.Completed, null, null, null, null], await results.StatusesAsync(ids));
        Assert.Equal([true, false, false, false, false], (await results.GetAsync(ids)).Select(r => r is not null));
        await results.DeleteAsync(ids);
        Assert.Null(await results.GetAsync(ids[0]));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_result_goes_when_its_time_is_over(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        var results = new ResultStore(redis, new ResultStoreOptions { Ttl = TimeSpan.FromHours(1), KeyPrefix = "test:" }, TimeProvider.System);
        var id = Stores.NewName("job");
        await results.PutAsync(Result(id, ResultStatus.Failed));
        Assert.InRange((await redis.Database.KeyTimeToLiveAsync($"test:result:{id}"))!.Value, TimeSpan.FromMinutes(59), TimeSpan.FromHours(1));
        await redis.Database.KeyExpireAsync($"test:result:{id}", TimeSpan.FromSeconds(5));
        await results.PutAsync(Result(id, ResultStatus.Completed));
        Assert.InRange((await redis.Database.KeyTimeToLiveAsync($"test:result:{id}"))!.Value, TimeSpan.FromMinutes(59), TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task A_stored_result_that_makes_no_sense_is_an_error_and_no_answer()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var results = await OpenAsync(Store.RedisServer);
        var id = Stores.NewName("job");
        await redis.Database.HashSetAsync($"result:{id}", "status", "sideways");
        await Assert.ThrowsAsync<FormatException>(() => results.GetAsync(id));
        await redis.Database.HashSetAsync($"result:{id}", [new("status", "completed"), new("body", "{}"), new("meta", "{broken")]);
        await Assert.ThrowsAsync<FormatException>(() => results.GetAsync(id));
    }

    [Fact]
    public async Task A_full_server_still_lets_results_in_and_jobs_finish()
    {
        await using var server = await RedisServer.StartAsync("--maxmemory", "6mb", "--maxmemory-policy", "noeviction");
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        await queue.EnqueueRowsAsync(1, 8);
        var jobs = await queue.ClaimAsync(6);
        foreach (var size in (int[])[100_000, 1_000, 10])
        {
            RedisServerException? full = null;
            for (var n = 0; full is null; n++)
                full = await Record.ExceptionAsync(() => redis.Database.StringSetAsync($"filler-{size}-{n}", new byte[size])) as RedisServerException;
            Assert.True(RedisRetry.MayPass(full), full.Message);
        }

        Assert.True(RedisRetry.MayPass(await Assert.ThrowsAsync<RedisServerException>(() => queue.EnqueueRowsAsync(9, 9))));

        Assert.Equal(ResultStatus.Completed, await results.PutAsync(Result(jobs[0].Job.Id, ResultStatus.Completed)));
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(jobs[0]));
        Assert.Equal(ResultStatus.Completed, await results.PutAsync(Large(jobs[5].Job.Id, ResultStatus.Completed, 'c')));
        Assert.Equal(SettleOutcome.Settled, await queue.BuryAsync(jobs[1]));
        Assert.Equal(SettleOutcome.Settled, await queue.RetryAsync(jobs[2], 1, TimeSpan.FromHours(1)));
        Assert.Equal(SettleOutcome.Settled, await queue.ReleaseAsync(jobs[3]));
        Assert.True(await queue.RenewAsync(jobs[4]));
        Assert.Equal(3, (await queue.ClaimAsync()).Count);
        Assert.True(await queue.RedriveAsync(jobs[1].Job));
        await OnePlace.AssertAsync(queue);
    }

    private static async Task<ResultStore> OpenAsync(Store store) => new(await Stores.ConnectAsync(store), new ResultStoreOptions(), TimeProvider.System);

    private static JobResult Large(string id, ResultStatus status, char last)
    {
        var body = new byte[ResultStore.SmallBytes + 1];
        body[^1] = (byte)last;
        return Result(id, status) with { Response = body };
    }

    private static JobResult Result(string id, ResultStatus status, string text = "{}") =>
        new() { JobId = id, Status = status, Response = Encoding.UTF8.GetBytes(text), Meta = new ResultMeta { StatusCode = 200 } };

    private static async Task<string> TextAsync(ResultStore results, string id) => Encoding.UTF8.GetString((await results.GetAsync(id))!.Response.Span);
}
