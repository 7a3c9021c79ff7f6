using System.CommandLine;
using Spectre.Console;
using StackExchange.Redis;

// What 'llmpipe status' is measured against: reads a command line, connects to Redis, asks it one thing, prints one line.
var redis = new Option<string>("--redis") { DefaultValueFactory = _ => "127.0.0.1:6379", HelpName = "HOST:PORT" };
var root = new RootCommand("Says hello to a Redis.") { redis };
root.SetAction(async (parsed, _) =>
{
    await using var connection = await ConnectionMultiplexer.ConnectAsync(parsed.GetRequiredValue(redis));
    var took = await connection.GetDatabase().PingAsync();
    AnsiConsole.MarkupLineInterpolated($"[green]hello[/] {took.TotalMilliseconds:0.0} ms");
    return 0;
});
return await root.Parse(args).InvokeAsync();
