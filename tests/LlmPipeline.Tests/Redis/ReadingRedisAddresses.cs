using System.Net;

namespace LlmPipeline;

public sealed class ReadingRedisAddresses
{
    [Theory]
    [InlineData("127.0.0.1:6380", "127.0.0.1:6380")]
    [InlineData(" 127.0.0.1:6380 ", "127.0.0.1:6380")]
    [InlineData("localhost", "localhost:6379")]
    [InlineData("redis.example.org:7000", "redis.example.org:7000")]
    [InlineData("my_redis-1:7000", "my_redis-1:7000")]
    [InlineData("[::1]:6380", "::1:6380")]
    [InlineData("redis://host", "host:6379")]
    [InlineData("redis://host/", "host:6379")]
    [InlineData("redis://host:6380", "host:6380")]
    [InlineData("redis://[::1]:6380/1", "::1:6380")]
    [InlineData("rediss://user:secret@host:6380/3", "host:6380")]
    [InlineData("host1:7000,host2:7001,password=secret,ssl=true", "host1:7000,host2:7001")]
    [InlineData("sentinel:26379,serviceName=mymaster", "sentinel:26379")]
    public void Each_form_names_its_end_points_and_describes_itself_without_secrets(string text, string described) =>
        Assert.Equal(described, RedisAddress.Describe(RedisAddress.Parse(text)));

    [Fact]
    public void A_url_carries_user_password_database_and_tls()
    {
        var options = RedisAddress.Parse("rediss://us%40er:p%2Fa%3Ass%23@host:6380/3");
        Assert.Equal(("us@er", "p/a:ss#", 3, true), (options.User, options.Password, options.DefaultDatabase, options.Ssl));
        Assert.Equal(new DnsEndPoint("host", 6380), Assert.Single(options.EndPoints));
        options = RedisAddress.Parse("redis://:secret@127.0.0.1");
        Assert.Equal((null, "secret", null, false), (options.User, options.Password, options.DefaultDatabase, options.Ssl));
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 6379), Assert.Single(options.EndPoints));
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Loopback, 6380), Assert.Single(RedisAddress.Parse("redis://[::1]:6380").EndPoints));
    }

    [Fact]
    public void A_configuration_string_keeps_its_options()
    {
        var options = RedisAddress.Parse("a:1,b:2,user=u,password=p=w,defaultDatabase=2,serviceName=m");
        Assert.Equal(("u", "p=w", 2, "m", 2), (options.User, options.Password, options.DefaultDatabase, options.ServiceName, options.EndPoints.Count));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData(",")]
    [InlineData(":6379")]
    [InlineData("host:abc")]
    [InlineData("host:70000")]
    [InlineData("host:-1")]
    [InlineData("two words:6379")]
    [InlineData("password=hunter2")]
    [InlineData("host:6379,ssl=perhaps")]
    [InlineData("host:6379,passwort=x")]
    [InlineData("host:6379,password=x,hunter2=3")]
    [InlineData("user:hunter2@host:6379")]
    [InlineData("redis://")]
    [InlineData("redis:///0")]
    [InlineData("redis://host:99999")]
    [InlineData("redis://host:abc")]
    [InlineData("redis://user:hunter2@host:6379:1")]
    [InlineData("redis://user:hunter2#@host:6379")]
    [InlineData("redis://user:hunter2/x@host:6379")]
    [InlineData("redis://host/first")]
    [InlineData("redis://host/-1")]
    [InlineData("redis://host/1/2")]
    [InlineData("redis://user:hunter2@host/0?timeout=5")]
    [InlineData("http://user:hunter2@host:6379")]
    [InlineData("tcp://host:6379")]
    public void What_names_no_redis_is_refused_in_one_line_that_holds_no_password(string text)
    {
        var refused = Assert.Throws<FormatException>(() => RedisAddress.Parse(text));
        Assert.DoesNotContain("hunter2", refused.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }
}
