namespace LlmPipeline;

public sealed class KeepingPromptFiles
{
    [Theory, ClassData(typeof(Stores))]
    public async Task The_files_of_a_prompt_function_come_back_byte_for_byte(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var sha = Guid.NewGuid().ToString("n");
        Assert.Null(await queue.Queue.LoadPromptAsync(sha));
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["skprompt.txt"] = Enumerable.Range(0, 256).Select(b => (byte)b).ToArray(),
            ["config.json"] = "{}"u8.ToArray(),
            ["empty.txt"] = Array.Empty<byte>(),
        };
        await queue.Queue.SavePromptAsync(sha, "solve-math", files);
        await queue.Queue.SavePromptAsync(sha, "solve-math", files);
        var loaded = await queue.Queue.LoadPromptAsync(sha);
        Assert.Equal("solve-math", loaded!.Value.Name);
        Assert.Equal(files.ToDictionary(f => f.Key, f => Convert.ToHexString(f.Value.Span)), loaded.Value.Files.ToDictionary(f => f.Key, f => Convert.ToHexString(f.Value.Span)));
    }
}
